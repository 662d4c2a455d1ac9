import { EbpfRunError } from '../errors.ts'
import { doctor } from './doctor.ts'
import type { Io } from './help.ts'

/** `ebpf-run doctor [-o table|json]`. */
export async function doctorCommand(argv: readonly string[], io: Io): Promise<number> {
  const text = argv.join(' ')
  const output = /^(?:-o ?|--output[ =])json$/.test(text)
    ? 'json'
    : text === '' || /^(?:-o ?|--output[ =])table$/.test(text)
      ? 'table'
      : null
  if (output === null) {
    throw new EbpfRunError({
      code: 'UNKNOWN_OPTION',
      message: 'doctor takes -o table or -o json only',
      found: text,
      remedy: 'ebpf-run doctor -o json',
    })
  }
  const report = await doctor({ output, env: io.env })
  io.stdout(report.text)
  return report.exitCode
}
