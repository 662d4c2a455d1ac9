import { builtin } from '../../probes/index.ts'
import { nearest } from '../catalog/nearest.ts'
import { userFolder, userProbeNames } from '../catalog/user-folder.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { type CommandSpec, commandNamed, ownNames, probeCommand } from './commands.ts'
import { findTarget } from './find-target.ts'
import type { Io } from './io.ts'
import { plainWords } from './plain-words.ts'

/** What the scripts of `ebpf-run completion` put in front of the words to complete. */
const completionWord = '--get-yargs-completions'

/** Runs a command line and returns the exit status; every error is told on stderr. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io)
  } catch (error) {
    if (!(error instanceof EbpfRunError)) throw error
    const { errorText } = await import('./report.ts')
    io.stderr(errorText(error, wantsJson(argv)))
    return error.exitCode
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...words] = argv
  if (name === undefined) {
    const { helpText } = await import('./list.ts')
    io.stdout(await helpText(io.env))
    return exitCodes.ok
  }
  if (name === 'help') return dispatch(words.length > 0 ? [...words, '--help'] : [], io)
  if (name === completionWord) {
    const { completionsFor } = await import('./completion.ts')
    io.stdout((await completionsFor(words, io.env)).map((each) => `${each}\n`).join(''))
    return exitCodes.ok
  }
  const { target, rest } = await findTarget(await commandOf(name, io.env), words, io.env)
  const plain = plainWords(rest, target.options)
  if (plain !== null) return target.run(plain, io)
  const { helpOf, parseWords } = await import('./frame.ts')
  const parsed = parseWords(target, rest)
  if (!parsed.help) return target.run(parsed, io)
  io.stdout(await helpOf(target, io.columns))
  return exitCodes.ok
}

/** Throws USAGE, UNKNOWN_PROBE. */
async function commandOf(name: string, env: Io['env']): Promise<CommandSpec> {
  const command = commandNamed(name)
  if (command !== null) return command
  if (name.startsWith('-')) {
    throw new EbpfRunError({
      code: 'USAGE',
      message: 'a probe or a command comes first',
      found: name,
      remedy: 'ebpf-run --help',
    })
  }
  const own = userProbeNames(userFolder(env))
  if (own.includes(name)) return probeCommand(name, 'a probe of your own')
  refuseMistyped(name, own)
  const { unknownProbe } = await import('../catalog/load.ts')
  throw unknownProbe(name, own)
}

/** A word that is near to a command and to no probe. */
function refuseMistyped(name: string, own: readonly string[]): void {
  const probes = Object.entries(builtin).flatMap(([probe, { aliases }]) => [probe, ...aliases])
  const close = nearest(name, ownNames)
  if (close === null || nearest(name, [...probes, ...own]) !== null) return
  throw new EbpfRunError({
    code: 'UNKNOWN_PROBE',
    message: `there is no probe or command '${name}'`,
    remedy: `did you mean ebpf-run ${close}? ebpf-run --help shows all`,
  })
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).some(
    (arg, index) =>
      arg === '-ojson' ||
      arg === '-o=json' ||
      arg === '--output=json' ||
      (arg === 'json' && /^(-o|--output)$/.test(argv[index - 1] ?? '')),
  )
}
