import { builtinNamed } from '../catalog/load.ts'
import type { ProbeSpec } from '../schema/define.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { allowOption, type CommandSpec } from './commands.ts'
import { optionsOf, type RunOption } from './options.ts'

/** The words that are ours: what follows `--` is a command. */
export function beforeCommand(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--')
  return end === -1 ? words : words.slice(0, end)
}

/** Runs what its own command names; the others tell of it. */
export async function runOrTell(
  own: string,
  { name }: CommandSpec,
  ...[probe, parsed, io]: Parameters<typeof import('./run.ts').runProbe>
): Promise<number> {
  if (name === own) return (await import('./run.ts')).runProbe(probe, parsed, io)
  return infoCommand(name, await import('./info.ts'))(probe, parsed, io)
}

export function infoCommand(name: string, info: typeof import('./info.ts')) {
  const { describe, plan, print, schema, types } = info
  const all = { describe, plan, print, schema, types }
  return all[name as keyof typeof all]
}

export function optionsAndTexts({ spec }: LoadedProbe) {
  const options = [...optionsOf(spec), ...optionsOfUser(spec)]
  return { probe: spec.name, options, epilogue: fieldsText(spec) }
}

/** What only a probe of the user's has. */
export function optionsOfUser({ name }: ProbeSpec): readonly RunOption[] {
  return builtinNamed(name) === null ? [allowOption] : []
}

/** The fields of each event; yargs makes columns of what tabs separate. */
export function fieldsText(probe: ProbeSpec): string {
  return Object.entries(probe.events)
    .flatMap(([name, event]) => [
      `Fields of ${name} (${event.doc}):`,
      ...Object.entries(event.fields).map(
        ([field, { doc, unit }]) =>
          `  ${field}\t  ${unit === undefined ? doc : `${doc} (${unit})`}`,
      ),
    ])
    .join('\n')
}
