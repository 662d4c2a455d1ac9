import { exitCodes } from '../errors.ts'
import { checkBpftraceVersion, checkMemlock } from '../host/checks-versions.ts'
import { checkSurvey } from '../host/checks.ts'
import type { Check } from '../host/rules.ts'
import { surveyHost, type Survey } from '../host/survey.ts'
import { chooseBuffers } from '../plan/buffers.ts'
import { dialectOf, type Dialect } from '../plan/dialect.ts'

export interface DoctorOptions {
  readonly output: 'table' | 'json'
  readonly env: NodeJS.ProcessEnv
  /** Lines of the table are no longer, unless it is very narrow. */
  readonly columns: number
}

/**
 * Checks what trips people. Exit status 0 unless something blocks: 77 when only permission does, else 69.
 * Never throws for what it finds; what this user cannot see is `unknown`.
 */
export async function doctor({
  output,
  env,
  columns,
}: DoctorOptions): Promise<{ text: string; exitCode: number }> {
  const survey = await surveyHost(env)
  const checks = diagnose(survey)
  const text =
    output === 'json'
      ? `${JSON.stringify(reportOf(checks))}\n`
      : renderTable(checks, survey, columns)
  return { text, exitCode: exitCodeOf(checks) }
}

/** Every check, in the order of the table. */
export function diagnose(survey: Survey): Check[] {
  return [
    ...checkSurvey(survey).map((check) => withDialect(check, survey)),
    checkBpftraceVersion(survey),
    checkMemlock(survey),
    checkBuffers(survey),
  ]
}

/** 0 unless something blocks; 77 when nothing but permission does (sysexits.h), else 69. */
export function exitCodeOf(checks: readonly Check[]): number {
  const blocking = checks.filter((check) => check.status === 'blocks')
  if (blocking.length === 0) return exitCodes.ok
  return blocking.every((check) => check.id === 'privileges')
    ? exitCodes.permission
    : exitCodes.unavailable
}

function reportOf(checks: readonly Check[]): { checks: readonly Check[]; blocks: number } {
  return { checks, blocks: checks.filter((check) => check.status === 'blocks').length }
}

function dialectIn({ facts }: Survey): Dialect | null {
  return facts.bpftrace.version === null ? null : dialectOf(facts.bpftrace.version)
}

/** A kernel's fentry is of no use to a bpftrace that cannot ask for it. */
function withDialect(check: Check, survey: Survey): Check {
  if (check.id !== 'fentry' || check.status !== 'ok') return check
  const dialect = dialectIn(survey)
  if (dialect === null || dialect.fentry !== null) return check
  const found = `${check.found}; bpftrace ${survey.facts.bpftrace.version} cannot use it`
  const means = 'probes use tracepoints or kprobes, which the kernel can skip'
  return { ...check, status: 'warn', found, means, remedy: 'use bpftrace 0.16 or later' }
}

/** The buffer that events travel through, and its default size on this machine. */
function checkBuffers(survey: Survey): Check {
  const { facts } = survey
  const id = 'buffers'
  const dialect = dialectIn(survey)
  if (dialect === null) {
    const means = 'the kind of buffer depends on the version of bpftrace'
    return { id, status: 'unknown', found: 'no usable bpftrace', means, remedy: null }
  }
  const { totalBytes, pages } = chooseBuffers(facts, dialect, null)
  const mebibytes = Number((totalBytes / 2 ** 20).toFixed(1))
  return {
    id,
    status: 'ok',
    found: `${dialect.transport}, ${mebibytes} MiB (${pages} pages a CPU, ${plural(facts.cpus, 'CPU')})`,
    means: 'the default; --buffer sets it',
    remedy: null,
  }
}

/** Evidence stands beside names: below this there is no room for it. */
const leastWidth = 40
const idColumn = 8
const foundColumn = 26

/** For people: one line a check, and below what is not well what it means and what to type. */
export function renderTable(checks: readonly Check[], { facts }: Survey, columns: number): string {
  const width = Math.max(leastWidth, columns)
  const count = (status: Check['status']) => checks.filter((each) => each.status === status).length
  const unseen = checks.filter((check) => check.status === 'unknown').map((check) => check.id)
  const gib = (facts.memoryBytes / 2 ** 30).toFixed(1)
  const lines = [
    `kernel ${facts.kernel.release} ${facts.kernel.machine}, ${plural(facts.cpus, 'CPU')}, ${gib} GiB`,
    '',
    ...checks.flatMap((check) => renderCheck(check, width)),
    '',
    `${count('ok')} ok, ${plural(count('warn'), 'warning')}, ${count('blocks')} blocking, ${unseen.length} not known`,
  ]
  const notSeen =
    unseen.length > 0 && facts.privileged.is !== 'yes'
      ? wrap(`Not visible to this user: ${unseen.join(', ')}. Root sees more.`, width)
      : []
  return `${[...lines, ...notSeen].join('\n')}\n`
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function renderCheck({ id, status, found, means, remedy }: Check, width: number): string[] {
  const head = `${status.padEnd(idColumn)}${id}`.padEnd(foundColumn)
  const evidence = hang(head, found, foundColumn, width)
  if (status === 'ok') return evidence
  return [
    ...evidence,
    ...hang(' '.repeat(idColumn), means, idColumn, width),
    ...(remedy === null ? [] : hang(`${' '.repeat(idColumn)}try: `, remedy, idColumn + 5, width)),
  ]
}

/** Text after a head, wrapped into the rest of the line. */
function hang(head: string, text: string, indent: number, width: number): string[] {
  return wrap(text, width - indent).map(
    (line, i) => `${i === 0 ? head : ' '.repeat(indent)}${line}`,
  )
}

/** Breaks at spaces, and inside a word only when it is longer than a line. Control characters become spaces. */
function wrap(text: string, columns: number): string[] {
  const words = text
    .split(/[\s\p{Cc}]+/u)
    .flatMap((word) => word.match(new RegExp(`.{1,${columns}}`, 'gu')) ?? [])
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = `${last} ${word}`
    } else lines.push(word)
  }
  return lines.length === 0 ? [''] : lines
}
