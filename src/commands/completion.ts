import { builtin } from '../../probes/index.ts'
import { builtinNamed, loadProbe } from '../catalog/load.ts'
import { userFolder, userProbeNames, userProbesOf } from '../catalog/user-folder.ts'
import { allowOption, commandNamed, commands, type CommandSpec, probeCommand } from './commands.ts'
import { optionsOf, runOptions, type RunOption, shapeOptionsOf } from './options.ts'
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
  return (await candidates(before, current, env))
    .filter(({ word }) => word.startsWith(current))
    .map(({ word, doc }) => (separator === null ? word : line(word, doc, separator)))
}

function line(word: string, doc: string, separator: string): string {
  return `${separator === ':' ? word.replaceAll(':', '\\:') : word}${separator}${doc}`
}

async function candidates(
  before: readonly string[],
  current: string,
  env: NodeJS.ProcessEnv,
): Promise<readonly Candidate[]> {
  const [name, ...rest] = before
  const own = userProbeNames(userFolder(env)).map((word) => ({ word, doc: 'a probe of your own' }))
  if (name === undefined || (name === 'help' && rest.length === 0))
    return [...commands.map((each) => ({ word: each.name, doc: each.doc })), ...own]
  const isOwn = own.some(({ word }) => word === name)
  const command = commandNamed(name) ?? (isOwn ? probeCommand(name, '') : null)
  if (command === null || before.includes('--')) return []
  if (command.takes !== null && rest.length === 0 && !current.startsWith('-'))
    return command.takes === 'PROBE' ? [...probeNames(), ...own] : []
  const options = await optionsFor(command, rest, env)
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
  env: NodeJS.ProcessEnv,
): Promise<readonly RunOption[]> {
  if (typeof options !== 'string') return [...options, helpOption]
  // A recording is not opened for this.
  if (takes === 'FILE') return [...runOptions.filter((option) => !option.live), helpOption]
  const word = takes === 'PROBE' ? rest[0] : name
  const isBuiltin = builtinNamed(word ?? '') !== null
  try {
    const { spec } = await loadProbe(word ?? '', userProbesOf(env, false))
    const own = options === 'shape' ? shapeOptionsOf(spec) : optionsOf(spec)
    return [...own, ...(isBuiltin ? [] : [allowOption]), helpOption]
  } catch {
    // Nothing is said while somebody types.
    return isBuiltin ? [helpOption] : [allowOption, helpOption]
  }
}

/** The word is an option that waits for its value. */
function isOpen(option: RunOption, word: string): boolean {
  return (
    !option.boolean &&
    (word === `--${option.name}` || (option.short !== undefined && word === `-${option.short}`))
  )
}
