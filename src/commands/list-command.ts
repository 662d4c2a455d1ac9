import { builtin } from '../../probes/index.ts'
import { userFolder } from '../catalog/user-folder.ts'
import { exitCodes } from '../errors.ts'
import type { Io } from './io.ts'
import { only } from './only.ts'
import type { RunOption } from './options.ts'
import type { Parsed } from './target.ts'

/** `ebpf-run list [--attach-points PATTERN] [-o json]`. */
export async function listCommand(
  parsed: Parsed,
  options: readonly RunOption[],
  io: Io,
): Promise<number> {
  const output = only(parsed, 'output', options) === 'json' ? 'json' : 'table'
  const pattern = only(parsed, 'attach-points', options)
  if (pattern !== null) {
    const { listAttachPoints } = await import('./attach-point-list.ts')
    return listAttachPoints(pattern, output, io)
  }
  const probes = Object.entries(builtin).map(([name, { summary, example, aliases }]) => ({
    name,
    aliases,
    summary,
    example,
  }))
  const text =
    output === 'json'
      ? `${JSON.stringify([...probes, ...(await userProbes(io))])}\n`
      : await (await import('./list.ts')).listText(io.env)
  io.stdout(text)
  return exitCodes.ok
}

async function userProbes({ env }: Io): Promise<readonly object[]> {
  const { userEntries } = await import('./user-list.ts')
  return userEntries(userFolder(env)).map(({ problem, ...entry }) => ({
    ...entry,
    ...{ aliases: [], user: true },
    ...(problem === null ? {} : { problem }),
  }))
}
