import yargs, { type Argv } from 'yargs'
import { EbpfRunError } from '../errors.ts'
import { commands } from './commands.ts'
import type { RunOption } from './options.ts'
import type { Parsed, Target } from './target.ts'
import { helpOption, shieldWords, unshield } from './words.ts'

/** Missing in @types/yargs 17. */
interface Configurable {
  usageConfiguration(configuration: { readonly 'hide-types': boolean }): Argv
}

/** Everything off that guesses: what a word is has been decided before yargs sees it. */
const parserConfiguration = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'combine-arrays': false,
  'dot-notation': false,
  'duplicate-arguments-array': true,
  'flatten-duplicate-arrays': true,
  'greedy-arrays': false,
  'halt-at-non-option': false,
  'nargs-eats-options': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'short-option-groups': false,
  'strip-aliased': true,
  'strip-dashed': false,
  'unknown-options-as-args': false,
}

/** Reads the words after a command's name and its PROBE or FILE. Throws UNKNOWN_OPTION, USAGE, CONFLICT. */
export function parseWords(target: Target, words: readonly string[]): Parsed {
  const { words: shielded, command, help } = shieldWords(words, target)
  let parsed: Parsed = { texts: {}, flags: {}, command, help }
  const frame = frameOf(target, declared(target.options), (args) => {
    refuseSurplus(target, args)
    parsed = { ...parsed, ...valuesOf(args, target.options) }
  })
  // Nothing else is looked at when help is asked for.
  if (!help) frame.parseSync([target.name, ...shielded])
  if (command !== null && !help) refuseCommand(target, command)
  return parsed
}

/** The help of a command, wrapped to the terminal's width. */
export async function helpOf(target: Target, columns: number): Promise<string> {
  const options = target.options.filter((option) => !option.hidden)
  const last = options.at(-1) ?? { group: 'Options:' }
  const shown = [
    ...options,
    last.group === undefined ? helpOption : { ...helpOption, group: last.group },
  ]
  const frame = frameOf(target, forHelp(shown), () => {}, [target.name]) as Argv & Configurable
  // Kinds and defaults stand in the texts.
  frame.usageConfiguration({ 'hide-types': true }).wrap(Math.max(40, columns))
  return `${await frame.getHelp()}\n`
}

/** What a shell runs to complete the words of this command line: bash's, or that of zsh or fish when SHELL says so. */
export function completionScript(): string {
  let script = ''
  yargs([])
    .scriptName('ebpf-run')
    .exitProcess(false)
    .completion('completion', 'shell completion')
    .parseSync(['completion'], {}, (_error, _args, output) => {
      script = output
    })
  return `${script.trimEnd()}\n`
}

type Args = Readonly<Record<string, unknown>>

/** The commands as yargs knows them. The one that was asked for has its options; `then` gets what was read. */
function frameOf(
  target: Target,
  options: (command: Argv) => Argv,
  then: (args: Args) => void,
  words: readonly string[] = [],
): Argv {
  const frame = yargs([...words])
    .scriptName('ebpf-run')
    .parserConfiguration(parserConfiguration)
    .locale('en')
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail(rethrow)
  for (const { name, doc } of commands.filter((each) => each.name !== target.name))
    frame.command(name, doc, {})
  return frame.command({
    command: target.name,
    describe: target.doc,
    builder: (command) =>
      options(command).usage(`ebpf-run ${target.usage}\n${target.doc}`).epilogue(target.epilogue),
    handler: then,
  })
}

/** Errors of ours as they are. Yargs has none of its own to find in what it is given. */
function rethrow(message: string, error: Error | undefined): never {
  if (error !== undefined) throw error
  throw new EbpfRunError({ code: 'USAGE', message, remedy: 'ebpf-run --help' })
}

function declared(options: readonly RunOption[]) {
  return (command: Argv): Argv =>
    options.reduce(
      (frame, { name, boolean: isBoolean }) =>
        isBoolean
          ? frame.option(name, { type: 'boolean' })
          : frame.option(name, { type: 'string', coerce: unshieldAll }),
      command,
    )
}

function unshieldAll(value: unknown): readonly string[] {
  return [value].flat().map((each) => unshield(String(each)))
}

/** Yargs has no word for the name of a value, so in the help it is part of the option's. */
function forHelp(options: readonly RunOption[]) {
  return (command: Argv): Argv =>
    options.reduce((frame, option) => {
      const name = option.metavar === undefined ? option.name : `${option.name} ${option.metavar}`
      return frame.option(name, {
        ...(option.short === undefined ? {} : { alias: option.short }),
        describe: docText(option),
        group: option.group ?? 'Run options:',
      })
    }, command)
}

function docText({ doc, choices, default: preset }: RunOption): string {
  const among = choices === undefined ? '' : `: ${choices.join(', ')}`
  return `${doc}${among}${preset === undefined ? '' : ` (${preset})`}`
}

function valuesOf(args: Args, options: readonly RunOption[]): Pick<Parsed, 'texts' | 'flags'> {
  const given = options.filter(({ name }) => Object.hasOwn(args, name) && args[name] !== undefined)
  return {
    texts: Object.fromEntries(
      given.filter((each) => !each.boolean).map(({ name }) => [name, args[name] as string[]]),
    ),
    flags: Object.fromEntries(
      given.filter((each) => each.boolean).map(({ name }) => [name, args[name] === true]),
    ),
  }
}

function refuseSurplus(target: Target, args: Args): void {
  const [, ...surplus] = args['_'] as readonly string[]
  if (surplus.length === 0) return
  throw new EbpfRunError({
    code: target.probe !== null ? 'USAGE' : 'UNKNOWN_OPTION',
    message:
      target.probe !== null
        ? `${target.title} takes options only`
        : `${target.title} takes nothing more`,
    found: surplus.map(unshield).join(' '),
    remedy: target.probe !== null ? `ebpf-run ${target.title} --help` : `ebpf-run ${target.usage}`,
  })
}

function refuseCommand(target: Target, command: readonly string[]): void {
  if (!target.takesCommand)
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `${target.name} starts no command`,
      found: ['--', ...command].join(' '),
      remedy: 'leave out -- and what follows',
    })
  if (command.length === 0 || command[0] === '')
    throw new EbpfRunError({
      code: 'USAGE',
      message: '-- needs a command after it',
      remedy: `ebpf-run ${target.title} -- COMMAND [ARG...], or leave out --`,
    })
}
