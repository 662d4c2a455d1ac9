import { parseArgs } from 'node:util'
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
  P: '--rport 443',
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
  const texts: Record<string, string[]> = {}
  const flags = Object.fromEntries(
    options.flatMap((option) => (option.boolean ? [[option.name, option.default === true]] : [])),
  )
  const positional: string[] = []
  let help = false
  for (const token of tokensOf(split === -1 ? argv : argv.slice(0, split), options)) {
    if (token.kind === 'positional') positional.push(token.value)
    if (token.kind !== 'option') continue
    if (token.name === 'help') help = true
    else {
      const { option, isNegated } = optionOf(token, options)
      if (option.boolean) flags[option.name] = readFlag(token, isNegated)
      else (texts[option.name] ??= []).push(readValue(token, option))
    }
  }
  return { texts, flags, positional, help }
}

interface OptionToken {
  readonly name: string
  /** As it was typed: `-d`, `--duration`. */
  readonly rawName: string
  readonly value: string | undefined
  /** The value is in the same word as the name. */
  readonly inlineValue: boolean | undefined
}

/** Node's own parser, told only which options take a value: what a value may be is ours to say. */
function tokensOf(argv: readonly string[], options: readonly RunOption[]) {
  const known = options.map(({ name, short, boolean: isBoolean }) => [
    name,
    {
      type: isBoolean ? ('boolean' as const) : ('string' as const),
      ...(short === undefined ? {} : { short }),
    },
  ])
  const { tokens } = parseArgs({
    args: [...argv],
    options: { help: { type: 'boolean', short: 'h' }, ...Object.fromEntries(known) },
    strict: false,
    tokens: true,
  })
  return tokens
}

/** The option that is meant; `--no-NAME` negates one without a value. */
function optionOf(
  token: OptionToken,
  options: readonly RunOption[],
): { option: RunOption; isNegated: boolean } {
  const option = options.find(({ name }) => name === token.name)
  if (option !== undefined) return { option, isNegated: false }
  const negated = options.find((each) => each.boolean && `no-${each.name}` === token.name)
  if (negated !== undefined) return { option: negated, isNegated: true }
  throw unknownOption(token, options)
}

function readFlag(token: OptionToken, isNegated: boolean): boolean {
  if (token.value === undefined) return !isNegated
  throw new EbpfRunError({
    code: 'USAGE',
    message: `${token.rawName} takes no value`,
    found: token.value,
    remedy: `${token.rawName}, or leave it out`,
  })
}

function readValue({ rawName, value, inlineValue }: OptionToken, option: RunOption): string {
  if (inlineValue && value !== undefined)
    return rawName.startsWith('--') ? value : value.replace(/^=/, '')
  if (value !== undefined && !/^-./.test(value)) return value
  const usual = `--${option.name} ${option.metavar ?? 'VALUE'}`
  throw new EbpfRunError({
    code: 'USAGE',
    message: `${rawName} needs a value`,
    ...(value === undefined ? {} : { found: value }),
    remedy: value === undefined ? usual : `${usual}, or --${option.name}=${value} if that is it`,
  })
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

function unknownOption(
  { name, rawName }: OptionToken,
  options: readonly RunOption[],
): EbpfRunError {
  const hint = Object.hasOwn(bccHints, name) ? bccHints[name] : undefined
  const close = nearest(
    name,
    options.map((option) => option.name),
  )
  return new EbpfRunError({
    code: 'UNKNOWN_OPTION',
    message: `there is no option ${rawName}`,
    remedy:
      hint !== undefined
        ? `use ${hint}`
        : close !== null
          ? `did you mean --${close}?`
          : '--help shows all options',
  })
}
