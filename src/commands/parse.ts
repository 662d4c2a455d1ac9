import yargs from 'yargs'
import { nearest } from '../catalog/nearest.ts'
import { EbpfRunError } from '../errors.ts'
import { flagsOf } from '../plan/params.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { type RunOption, runOptions } from './options.ts'

/** What a command line says, before its values are looked at. */
export interface Parsed {
  readonly texts: Readonly<Record<string, readonly string[]>>
  readonly flags: Readonly<Record<string, boolean>>
  readonly positional: readonly string[]
  readonly help: boolean
}

/** What users of bcc's tools may type, and what to type here: their short options mean different things in each tool. */
const bccHints: Readonly<Record<string, string>> = {
  P: '--rport 443 (tcpconnect), --ppid is not there yet',
  p: '--pid 1234',
  u: '--uid 1000',
  U: 'the uid field: -o ndjson, or --fields time,uid,comm',
  t: 'the time field, which is always there',
  T: 'the time field, which is always there',
  x: '--failed',
  c: '--count N, or -o ndjson | jq',
  L: '--lport 22',
  D: '--rport 443',
  4: '--family 4',
  6: '--family 6',
  F: '--cgroup or --netns',
}

/** Reads the options of a probe (or of replay). Throws UNKNOWN_OPTION, USAGE. */
export function parseOptions(argv: readonly string[], options: readonly RunOption[]): Parsed {
  const split = argv.indexOf('--')
  const own = split === -1 ? argv : argv.slice(0, split)
  const isText = (option: RunOption) => option.boolean !== true
  const parser = yargs([...own])
    .help(false)
    .version(false)
    .exitProcess(false)
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': true,
      'strip-aliased': true,
      'greedy-arrays': false,
      'unknown-options-as-args': false,
    })
    .option('help', { alias: 'h', type: 'boolean' })
  for (const option of options) {
    parser.option(option.name, {
      ...(option.short === undefined ? {} : { alias: option.short }),
      ...(isText(option)
        ? { type: 'string', array: true, requiresArg: true }
        : { type: 'boolean' }),
    })
  }
  let problem: string | null = null
  const parsed = parser
    .fail((message: string) => {
      problem ??= message
    })
    .parseSync() as Record<string, unknown>
  refuseUnknown(own, parsed, options)
  if (problem !== null)
    throw new EbpfRunError({
      code: 'USAGE',
      message: String(problem).toLowerCase(),
      remedy: '--help shows all options',
    })
  const texts = options.filter(isText).flatMap(({ name }) => {
    const value = parsed[name]
    return Array.isArray(value) ? [[name, value.map(String)] as const] : []
  })
  const flags = options
    .filter((option) => !isText(option))
    .map(({ name, default: preset }) => [name, Boolean(parsed[name] ?? preset ?? false)] as const)
  return {
    texts: Object.fromEntries(texts),
    flags: Object.fromEntries(flags),
    positional: Array.isArray(parsed['_']) ? parsed['_'].map(String) : [],
    help: parsed['help'] === true,
  }
}

/** Options of a probe: its filters, its own numbers, and those of every run. */
export function optionsOf(probe: ProbeSpec): readonly RunOption[] {
  const filters = flagsOf(probe).map(({ flag, metavar, doc }) => ({ name: flag, metavar, doc }))
  const outcome =
    probe.failed === undefined
      ? []
      : ([
          { name: 'failed', boolean: true, doc: 'only what failed' },
          { name: 'ok', boolean: true, doc: 'only what did not fail' },
        ] as const)
  const params = Object.entries(probe.params ?? {}).map(([name, param]) => ({
    name,
    metavar: 'N',
    doc: param.doc,
    default: String(param.default),
  }))
  return [...filters, ...outcome, ...params, ...runOptions]
}

/** The last text of an option that is given once, or its default. Throws CONFLICT when it is given twice. */
export function only(parsed: Parsed, name: string, options: readonly RunOption[]): string | null {
  const texts = parsed.texts[name] ?? []
  if (texts.length > 1)
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `--${name} was given ${texts.length} times`,
      found: texts.join(', '),
      remedy: `give --${name} once`,
    })
  const preset = options.find((option) => option.name === name)?.default
  const value = texts[0] ?? (typeof preset === 'string' ? preset : null)
  const choices = options.find((option) => option.name === name)?.choices
  if (value !== null && choices !== undefined && !choices.includes(value)) {
    const close = nearest(value, choices)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--${name}: one of ${choices.join(', ')} was expected`,
      expected: choices.join(', '),
      found: JSON.stringify(value),
      ...(close === null ? {} : { remedy: `did you mean ${close}?` }),
    })
  }
  return value
}

function refuseUnknown(
  argv: readonly string[],
  parsed: Record<string, unknown>,
  options: readonly RunOption[],
): void {
  const known = new Set([
    '_',
    '$0',
    'help',
    'h',
    ...options.flatMap((option) => [
      option.name,
      ...(option.short === undefined ? [] : [option.short]),
    ]),
  ])
  const unknown = Object.keys(parsed).find((key) => !known.has(key))
  if (unknown === undefined) return
  const typed =
    argv.find((arg) => arg === `--${unknown}` || arg.startsWith(`--${unknown}=`)) ??
    `${unknown.length === 1 ? '-' : '--'}${unknown}`
  const hint = bccHints[unknown]
  const close = nearest(
    unknown,
    options.map((option) => option.name),
  )
  throw new EbpfRunError({
    code: 'UNKNOWN_OPTION',
    message: `there is no option ${typed}`,
    found: typed,
    remedy:
      hint !== undefined
        ? `use ${hint}`
        : close !== null
          ? `did you mean --${close}?`
          : '--help shows all options',
  })
}
