import { EbpfRunError } from '../errors.ts'

/** An option of every run, as data: parsing, help and documentation are made from it. */
export interface RunOption {
  readonly name: string
  readonly short?: string
  readonly metavar?: string
  readonly doc: string
  readonly boolean?: true
  readonly choices?: readonly string[]
  readonly default?: string | boolean
}

/** The options that every probe has beside its filters. */
export const runOptions = [
  {
    name: 'duration',
    short: 'd',
    metavar: 'TIME',
    doc: 'stop after this long, counted from attached: 60, 10s, 500ms, 5m, 1h',
  },
  { name: 'count', short: 'n', metavar: 'N', doc: 'stop after N events' },
  {
    name: 'output',
    short: 'o',
    metavar: 'FORMAT',
    choices: ['table', 'ndjson', 'json', 'csv'],
    default: 'table',
    doc: 'output format',
  },
  { name: 'out', metavar: 'FILE', doc: 'write the events to FILE instead of stdout' },
  { name: 'fields', metavar: 'LIST', doc: 'only these fields, in this order' },
  {
    name: 'header',
    boolean: true,
    default: true,
    doc: 'header of tables and CSV; --no-header leaves it out',
  },
  { name: 'utc', boolean: true, doc: 'table times in UTC' },
  { name: 'variant', metavar: 'NAME', doc: 'force a way of doing it; plan lists them' },
  { name: 'buffer', metavar: 'SIZE', doc: 'total output buffer in the kernel: 16M, 256M' },
  {
    name: 'drain',
    metavar: 'TIME',
    default: '5s',
    doc: 'how long to read on at the end until all has arrived',
  },
  {
    name: 'attach-timeout',
    metavar: 'TIME',
    default: '60s',
    doc: 'give up when nothing is attached by then',
  },
  {
    name: 'max-lost',
    metavar: 'N',
    doc: 'exit 3 when more than N events were lost or the account is open',
  },
  {
    name: 'record',
    metavar: 'FILE',
    doc: 'keep the raw run for replay; the file is readable by its owner alone',
  },
  { name: 'summary-json', metavar: 'FILE', doc: "write the run's account as JSON" },
  { name: 'lifecycle', boolean: true, doc: 'start, attached, lost and end records in NDJSON' },
  { name: 'quiet', short: 'q', boolean: true, doc: 'nothing on stderr but errors' },
  { name: 'verbose', short: 'v', boolean: true, doc: 'also what the back-end says' },
] as const satisfies readonly RunOption[]

const timeUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  '': 1_000,
}
const sizeUnits: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** A time to milliseconds: seconds without a unit. Throws BAD_VALUE. */
export function parseTime(flag: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? []
  const ms = Number(number) * (timeUnits[unit] ?? Number.NaN)
  // setTimeout holds 31 bits of milliseconds.
  if (number === '' || ms <= 0 || ms > 2 ** 31 - 1) {
    throw badOption(
      flag,
      text,
      'a time from 1ms to 24 days',
      `--${flag} 60, --${flag} 500ms, --${flag} 5m`,
    )
  }
  return ms
}

/** A size to bytes. Throws BAD_VALUE. */
export function parseSize(flag: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})([KMG]?)$/i.exec(text) ?? []
  const bytes = Number(number) * (sizeUnits[unit.toUpperCase()] ?? Number.NaN)
  if (number === '' || bytes < 65_536 || bytes > 16 * 1024 ** 3) {
    throw badOption(flag, text, 'a size from 64K to 16G', `--${flag} 64M`)
  }
  return bytes
}

/** A whole number from `min` on. Throws BAD_VALUE. */
export function parseCount(flag: string, text: string, min: number): number {
  if (!/^\d{1,15}$/.test(text) || Number(text) < min) {
    throw badOption(flag, text, `a whole number from ${min} on`, `--${flag} 10`)
  }
  return Number(text)
}

function badOption(flag: string, text: string, expected: string, remedy: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--${flag}: ${expected} was expected`,
    expected,
    found: JSON.stringify(text),
    remedy: `for example ${remedy}`,
  })
}
