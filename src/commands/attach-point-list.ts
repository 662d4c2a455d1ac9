import { matchingLines, nameOf, parsePattern, type Pattern } from '../attach/pattern.ts'
import { editDistance } from '../catalog/nearest.ts'
import { typeNamed } from '../attach/point.ts'
import { nearNames } from '../attach/suggest.ts'
import { EbpfRunError, exitCodes } from '../errors.ts'
import { attachTypes } from '../host/attach-points.ts'
import { attachPointList } from '../host/attach-point-cache.ts'
import { readUserFile } from '../host/user-points.ts'
import type { Io } from './io.ts'

/** `ebpf-run list --attach-points PATTERN [-o json]`: what this kernel offers to hook. Throws BAD_VALUE, NO_MATCH. */
export async function listAttachPoints(
  typed: string,
  output: 'table' | 'json',
  io: Io,
): Promise<number> {
  if (isUserType(typeNamed(typed.replace(/:.*/s, '')))) {
    printLines(userPointLines(typed, io.env), output, io)
    return exitCodes.ok
  }
  const pattern = parsePattern(typed, attachTypes)
  const list = await attachPointList(io.env)
  const { gaps } = list
  const text = list.textOf(pattern.type)
  const found = matchingLines(text, pattern)
  const shown = attachTypes.filter((type) => pattern.type === null || pattern.type === type)
  const notes = shown.flatMap((type) =>
    gaps[type] === undefined ? [] : [`${type}: ${gaps[type]}`],
  )
  if (found.length === 0) {
    throw noMatch(typed, pattern, text, notes)
  }
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

const userTypes = ['uprobe', 'uretprobe', 'usdt'] as const

/** Whether attach points of this type lie in programs and libraries. */
export function isUserType(type: string): type is (typeof userTypes)[number] {
  return userTypes.some((each) => each === type)
}

/** The functions or marks of a program or library that `TYPE:FILE:PATTERN` matches. Throws BAD_VALUE, NO_MATCH. */
export function userPointLines(typed: string, env: NodeJS.ProcessEnv): readonly string[] {
  const [, word = '', file = '', name = ''] = /^([^:]*):([^:]*):?([^]*)$/.exec(typed) ?? []
  const type = typeNamed(word)
  if (file === '' || name === '')
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: 'a program or library was expected, and what to look for in it',
      expected: `${type}:FILE:PATTERN; FILE is a path, or a name such as libc or bash`,
      found: JSON.stringify(typed.slice(0, 80)),
      remedy: `for example '${type === 'usdt' ? 'usdt:libstdc++:*' : `${type}:libc:getaddr*`}'`,
    })
  const found = readUserFile(file, env)
  if ('why' in found) throw new EbpfRunError({ code: 'NO_MATCH', message: found.why })
  const names =
    type === 'usdt'
      ? found.marks.map((mark) => `${mark.provider}:${mark.name}`)
      : found.functions.flatMap((each) =>
          each.isIndirect || !/^\w+$/.test(each.name) ? [] : [each.name],
        )
  const text = [...new Set(names)].map((each) => `${type}:${each}\n`).join('')
  const pattern = parsePattern(`${type}:${name}`, userTypes)
  const lines = matchingLines(text, pattern)
  if (lines.length === 0) throw noMatch(typed, pattern, text, [], file)
  return lines.map((line) => `${type}:${found.path}:${nameOf(line)}`)
}

/** The error for a pattern that nothing in the list of attach points matches, with what is near to it. */
export function noMatch(
  typed: string,
  { type, literal }: Pattern,
  text: string,
  notes: readonly string[] = [],
  file: string | null = null,
): EbpfRunError {
  const candidates = text.split('\n').filter((line) => type === null || line.startsWith(`${type}:`))
  const near = nearNames(literal, candidates, editDistance).map((each) =>
    file === null ? each : each.replace(':', `:${file}:`),
  )
  return new EbpfRunError({
    code: 'NO_MATCH',
    message: `nothing that ${file === null ? 'this kernel offers' : `${file} has`} matches ${JSON.stringify(typed)}`,
    ...(notes.length > 0 ? { detail: notes.join('\n') } : {}),
    remedy:
      near.length > 0
        ? `did you mean ${near.join(', ')}?`
        : "* stands for any text: 'kprobe:*connect*'",
  })
}
