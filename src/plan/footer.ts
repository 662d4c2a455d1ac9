import { dumpCode } from '../wire/groups.ts'
import { controlCodes } from '../wire/layout.ts'
import { descendants } from './command.ts'
import type { Dialect } from './dialect.ts'
import { mapsOf, type SummaryPlan, textMapsOf } from './summary.ts'
import { controlPrintf, counterName, fullName, unownedName } from './records.ts'

/** Milliseconds between heartbeats. Short, because a run's end waits for one. */
export const heartbeatMs = 250

/** What stands below a template: end gate, heartbeats, and an END that keeps the template's own maps from being printed. */
export function renderFooter(input: {
  /** The program so far. */
  readonly body: string
  /** Record code to the number of places that emit it. */
  readonly sites: ReadonlyMap<string, number>
  /** The program counts what did not fit into its maps. */
  readonly hasFull: boolean
  /** The program counts the events of unknown owners that it does not aggregate. */
  readonly hasUnowned: boolean
  readonly followsCommand: boolean
  readonly summary: SummaryPlan | null
  readonly dialect: Dialect
  readonly token: string
  /** The child's process id; null: no end gate. */
  readonly gatePid: number | null
  /** Statements to be run once when the gate closes. */
  readonly ending: string
}): string {
  const { dialect, token, gatePid } = input
  const ending = input.ending === '' ? '' : `  if (@stop_${token} == 0) {${input.ending}}\n`
  const counters = [...input.sites].flatMap(([code, count]) =>
    Array.from({ length: count }, (_, site) => counterName(token, code, site)),
  )
  if (input.hasFull) counters.push(fullName(token))
  if (input.hasUnowned) counters.push(unownedName(token))
  const beat = controlPrintf(controlCodes.heartbeat, token, dialect)
  const end = controlPrintf(controlCodes.end, token, dialect)
  const counts = `${counters.map((name) => `  print(${name});\n`).join('')}  print(@z_${token});\n`
  const { summary } = input
  const dump =
    summary === null
      ? ''
      : `${mapsOf(summary.groups, token)
          .map((name) => `  print(${name});\n`)
          .join('')}  ${controlPrintf(dumpCode, token, dialect)}\n`
  const parts = [
    // Only a sender that may signal bpftrace gets a signal generated for it; SIGURG (23) is ignored by default.
    ...(gatePid === null
      ? []
      : [
          `tracepoint:signal:signal_generate\n/args->sig == 23 && args->pid == ${gatePid}/\n{\n${ending}  @stop_${token} = 1;\n  @z_${token} = count();\n  ${end}\n${dump}${counts}}`,
        ]),
    // The first line that bpftrace prints proves that all is attached, so the first beats come early.
    `interval:ms:10\n/@early_${token} < 3/\n{\n  @early_${token} = @early_${token} + 1;\n  ${beat}\n}`,
    `interval:ms:${heartbeatMs}\n{\n  @z_${token} = count();\n  ${beat}\n${counts}}`,
  ]
  if (summary !== null && summary.intervalMs !== null)
    parts.push(`interval:ms:${summary.intervalMs}\n{\n${dump}}`)
  const own = [...new Set([...input.body.matchAll(/@[a-z][a-z0-9_]*/g)].map((match) => match[0]))]
    .filter((name) => !name.includes(token))
    .sort()
  if (summary !== null) own.push(...textMapsOf(summary.groups, token))
  if (input.followsCommand) own.push(descendants(token))
  if (dialect.hasEnd && own.length > 0)
    parts.push(`END\n{\n${own.map((name) => `  clear(${name});\n`).join('')}}`)
  return parts.join('\n\n')
}
