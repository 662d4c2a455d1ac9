import { matchingLines, nameOf, parsePattern, type Pattern } from '../attach/pattern.ts'
import { editDistance } from '../catalog/nearest.ts'
import { userTypeOf } from '../attach/point.ts'
import { nearNames } from '../attach/suggest.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { attachTypes } from '../host/attach-points.ts'
import { type AttachPointList, withAttachPoints } from '../host/attach-point-cache.ts'
import type { Io } from './io.ts'

/** `ebpf-run list --attach-points PATTERN [-o json]`: what this kernel offers to hook. Throws BAD_VALUE, NO_MATCH. */
export async function listAttachPoints(
  typed: string,
  output: 'table' | 'json',
  io: Io,
): Promise<number> {
  if (userTypeOf(typed) !== null) {
    const { userPointLines } = await import('./user-point-list.ts')
    printLines(userPointLines(typed, io.env), output, io)
    return exitCodes.ok
  }
  const pattern = parsePattern(typed, attachTypes)
  const shown = attachTypes.filter((type) => pattern.type === null || pattern.type === type)
  const { found, notes } = await withAttachPoints(io.env, (list) => {
    const reasons = shown.flatMap((type) =>
      list.gaps[type] === undefined ? [] : [`${type}: ${list.gaps[type]}`],
    )
    const lines = matchingLines(list, pattern)
    if (lines.length === 0) throw noMatch(typed, pattern, list, reasons)
    return { found: lines, notes: reasons }
  })
  printLines(found, output, io)
  for (const note of notes) io.stderr(`${note}\n`)
  return exitCodes.ok
}

function printLines(lines: readonly string[], output: 'table' | 'json', io: Io): void {
  io.stdout(
    output === 'json'
      ? `${JSON.stringify(lines.map((line) => ({ type: line.slice(0, line.indexOf(':')), name: nameOf(line), attach_point: line })))}\n`
      : lines.map((line) => `${line}\n`).join(''),
  )
}

/** The error for a pattern that nothing in the list of attach points matches, with what is near to it. */
export function noMatch(
  typed: string,
  { type, literal }: Pattern,
  list: AttachPointList,
  notes: readonly string[] = [],
): EbpfRunError {
  const near = nearNames(literal, list.textOf(type).split('\n'), editDistance)
  return new EbpfRunError({
    code: 'NO_MATCH',
    message: `nothing that this kernel offers matches ${JSON.stringify(typed)}`,
    ...(notes.length > 0 ? { detail: notes.join('\n') } : {}),
    remedy:
      near.length > 0
        ? `did you mean ${near.join(', ')}?`
        : "* stands for any text: 'kprobe:*connect*'",
  })
}
