import { builtin } from '../../probes/index.ts'
import { loadProbe } from '../catalog/load.ts'
import { commandNamed, commands, type CommandSpec } from './commands.ts'
import { optionsOf, runOptions, type RunOption } from './options.ts'
import { helpOption } from './words.ts'

interface Candidate {
  readonly word: string
  readonly doc: string
}

/**
 * What the last word can become, a line each, in the form that the shell of the completion script wants. None: the shell
 * completes file names.
 */
export async function completionsFor(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  // bash and zsh hand over the program's own name, and bash makes words of the `=` in --name=value.
  const typed = (words[0] ?? '').endsWith('ebpf-run') ? words.slice(1) : words
  const current = typed.at(-1) === '=' ? '' : (typed.at(-1) ?? '')
  const before = typed.slice(0, -1).filter((word) => word !== '=')
  const shell = env['SHELL'] ?? ''
  const separator = shell.includes('zsh') ? ':' : shell.includes('fish') ? '\t' : null
  return (await candidates(before, current))
    .filter(({ word }) => word.startsWith(current))
    .map(({ word, doc }) => (separator === null ? word : line(word, doc, separator)))
}

function line(word: string, doc: string, separator: string): string {
  return `${separator === ':' ? word.replaceAll(':', '\\:') : word}${separator}${doc}`
}

async function candidates(
  before: readonly string[],
  current: string,
): Promise<readonly Candidate[]> {
  const [name, ...rest] = before
  if (name === undefined || (name === 'help' && rest.length === 0))
    return commands.map((each) => ({ word: each.name, doc: each.doc }))
  const command = commandNamed(name)
  if (command === null || before.includes('--')) return []
  if (command.takes !== null && rest.length === 0 && !current.startsWith('-'))
    return command.takes === 'PROBE' ? probeNames() : []
  const options = await optionsFor(command, rest)
  const open = options.find((option) => isOpen(option, before.at(-1) ?? ''))
  if (open !== undefined) return (open.choices ?? []).map((word) => ({ word, doc: '' }))
  // zsh and fish keep --name=value together.
  const attached = options.find((option) => current.startsWith(`--${option.name}=`))
  if (attached !== undefined)
    return (attached.choices ?? []).map((each) => ({ word: `--${attached.name}=${each}`, doc: '' }))
  return options
    .filter((option) => !before.includes(`--${option.name}`) || option.group !== undefined)
    .map(({ name: word, doc }) => ({ word: `--${word}`, doc }))
}

function probeNames(): readonly Candidate[] {
  return Object.entries(builtin).map(([word, { summary }]) => ({ word, doc: summary }))
}

async function optionsFor(
  { name, options, takes }: CommandSpec,
  rest: readonly string[],
): Promise<readonly RunOption[]> {
  if (options !== 'probe') return [...options, helpOption]
  // A recording is not opened for this.
  if (takes === 'FILE') return [...runOptions.filter((option) => !option.live), helpOption]
  const word = takes === 'PROBE' ? rest[0] : name
  const probe = commandNamed(word ?? '')
  if (probe === null || !Object.hasOwn(builtin, probe.name)) return [helpOption]
  return [...optionsOf((await loadProbe(probe.name)).spec), helpOption]
}

/** The word is an option that waits for its value. */
function isOpen(option: RunOption, word: string): boolean {
  return (
    !option.boolean &&
    (word === `--${option.name}` || (option.short !== undefined && word === `-${option.short}`))
  )
}
