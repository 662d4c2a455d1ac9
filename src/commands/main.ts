import { helpText } from './list.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { Io } from './help.ts'
import { errorText } from './report.ts'

type Command = (argv: readonly string[], io: Io) => Promise<number>

/** Everything that is not a probe. Loaded when asked for. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
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
  const command = commands[name]
  if (command !== undefined) return (await command())(rest, io)
  if (name.startsWith('-')) {
    throw new EbpfRunError({
      code: 'USAGE',
      message: 'a probe or a command comes first',
      found: name,
      remedy: 'ebpf-run --help',
    })
  }
  return (await import('./run.ts')).runProbe(name, rest, io)
}

function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (arg, index) =>
      arg === '-ojson' ||
      arg === '--output=json' ||
      (arg === 'json' && /^(-o|--output)$/.test(argv[index - 1] ?? '')),
  )
}
