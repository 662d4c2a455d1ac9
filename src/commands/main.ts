import { builtin } from '../../probes/index.ts'
import { nearest } from '../catalog/nearest.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { commandHelp, type Io } from './help.ts'
import { helpText, list } from './list.ts'
import { errorText } from './report.ts'

type Command = (argv: readonly string[], io: Io) => Promise<number>

/** Everything that is not a probe. Loaded when asked for. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  list: async () => list,
  describe: async () => (await import('./info.ts')).describe,
  plan: async () => (await import('./info.ts')).plan,
  print: async () => (await import('./info.ts')).print,
  schema: async () => (await import('./info.ts')).schema,
  replay: async () => (await import('./replay.ts')).replay,
  doctor: async () => (await import('./doctor-command.ts')).doctorCommand,
}

/** Runs a command line and returns the exit status; every error is told on stderr. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io)
  } catch (error) {
    if (!(error instanceof EbpfRunError)) throw error
    io.stderr(errorText(error, wantsJson(argv)))
    return error.exitCode
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined) {
    io.stdout(helpText())
    return exitCodes.ok
  }
  if (name === 'help') return dispatch(rest.length > 0 ? [...rest, '--help'] : [], io)
  const command = commandNamed(name)
  if (command !== undefined) {
    if (!asksHelp(name, rest)) return (await command())(rest, io)
    io.stdout(commandHelp(name))
    return exitCodes.ok
  }
  if (name.startsWith('-')) {
    throw new EbpfRunError({
      code: 'USAGE',
      message: 'a probe or a command comes first',
      found: name,
      remedy: 'ebpf-run --help',
    })
  }
  refuseMistyped(name)
  return (await import('./run.ts')).runProbe(name, rest, io)
}

/** Names come from outside: `constructor` is no command. */
function commandNamed(name: string): (() => Promise<Command>) | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined
}

/** With a probe, help is that of its options; `plan`, `print` and `replay` give it themselves. */
function asksHelp(name: string, rest: readonly string[]): boolean {
  const own = ['plan', 'print', 'replay'].includes(name) ? rest.slice(0, 1) : rest
  return own.some((arg) => arg === '--help' || arg === '-h')
}

/** A word that is near to a command and to no probe. */
function refuseMistyped(name: string): void {
  const probes = Object.entries(builtin).flatMap(([probe, { aliases }]) => [probe, ...aliases])
  const close = nearest(name, Object.keys(commands))
  if (close === null || nearest(name, probes) !== null) return
  throw new EbpfRunError({
    code: 'UNKNOWN_PROBE',
    message: `there is no probe or command '${name}'`,
    remedy: `did you mean ebpf-run ${close}? ebpf-run --help shows all`,
  })
}

function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (arg, index) =>
      arg === '-ojson' ||
      arg === '-o=json' ||
      arg === '--output=json' ||
      (arg === 'json' && /^(-o|--output)$/.test(argv[index - 1] ?? '')),
  )
}
