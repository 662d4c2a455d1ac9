import { doctor } from './doctor.ts'
import type { Io } from './io.ts'
import type { RunOption } from './options.ts'
import { only } from './only.ts'
import type { Parsed } from './target.ts'

const pipedColumns = 80

/** `ebpf-run doctor [-o table|json]`. */
export async function doctorCommand(
  parsed: Parsed,
  options: readonly RunOption[],
  io: Io,
): Promise<number> {
  const output = only(parsed, 'output', options) === 'json' ? 'json' : 'table'
  const columns = io.stdoutIsTerminal ? io.columns : pipedColumns
  const report = await doctor({ output, env: io.env, columns })
  io.stdout(report.text)
  return report.exitCode
}
