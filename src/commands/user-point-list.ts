import { linesIn, nameOf, parsePattern } from '../attach/pattern.ts'
import { typeNamed, userTypes } from '../attach/point.ts'
import { nearNames } from '../attach/suggest.ts'
import { editDistance } from '../catalog/nearest.ts'
import { EbpfRunError } from '../errors.ts'
import { readUserFile, type UserFile } from '../host/user-points.ts'

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
  const found = fileOf(file, env)
  const pattern = parsePattern(`${type}:${name}`, userTypes)
  const lines = namesIn(found, type)
    .map((each) => `${type}:${each}\n`)
    .join('')
  const matching = linesIn(lines, pattern)
  if (matching.length === 0)
    throw noSuchPoint(found, {
      ...{ type, file, wanted: pattern.literal },
      message: `nothing that ${file} has matches ${JSON.stringify(typed)}`,
    })
  return matching.map((line) => `${type}:${found.path}:${nameOf(line)}`)
}

/** The file of an attach point, read. Throws NO_MATCH. */
export function fileOf(name: string, env: NodeJS.ProcessEnv): UserFile {
  const found = readUserFile(name, env)
  if ('why' in found) throw new EbpfRunError({ code: 'NO_MATCH', message: found.why })
  return found
}

/** What can be hooked: functions that are called by their names, or marks, each once and sorted. */
function namesIn({ functions, marks }: UserFile, type: string): readonly string[] {
  const names =
    type === 'usdt'
      ? marks.map(({ provider, name }) => `${provider}:${name}`)
      : functions.flatMap(({ name, isIndirect }) =>
          isIndirect || !/^\w+$/.test(name) ? [] : [name],
        )
  return [...new Set(names)].sort()
}

/** The error for a function or mark that a file does not have, with what is near to it. */
export function noSuchPoint(
  found: UserFile,
  asked: {
    readonly type: string
    readonly file: string
    readonly wanted: string
    readonly message?: string
  },
): EbpfRunError {
  const { type, file, wanted } = asked
  const names = namesIn(found, type)
  const what = type === 'usdt' ? 'mark' : 'function'
  const near = nearNames(
    wanted,
    names.map((name) => `${type}:${name}`),
    editDistance,
  ).map((each) => each.replace(':', `:${file}:`))
  const remedy =
    near.length > 0
      ? `did you mean ${near.join(', ')}?`
      : names.length > 0
        ? `ebpf-run list --attach-points '${type}:${file}:*'`
        : `${found.path} has no ${what} at all: another file`
  return new EbpfRunError({
    code: 'NO_MATCH',
    message: asked.message ?? `${found.path} has no ${what} ${wanted}`,
    remedy,
  })
}
