import { EbpfRunError } from '../errors.ts'

/** A place of the kernel, or of a program or library, that a program of ours can be attached to, parsed. */
export type AttachPoint =
  | { readonly type: 'tracepoint'; readonly category: string; readonly name: string }
  | { readonly type: 'rawtracepoint'; readonly name: string }
  | {
      readonly type: 'kprobe' | 'fentry'
      /** At the function's return: kretprobe, fexit. */
      readonly atReturn: boolean
      readonly module: string | null
      readonly name: string
    }
  | { readonly type: 'function'; readonly module: string | null; readonly name: string }
  | {
      readonly type: 'uprobe'
      /** At the function's return: uretprobe. */
      readonly atReturn: boolean
      /** A program or library: its path, or a name such as libc or bash. */
      readonly file: string
      readonly name: string
    }
  | {
      readonly type: 'usdt'
      readonly file: string
      readonly provider: string
      readonly name: string
    }

export type FunctionPoint = Extract<AttachPoint, { readonly module: string | null }>
export type UserPoint = Extract<AttachPoint, { readonly file: string }>

/** Types of attach points in programs and libraries. */
export const userTypes = ['uprobe', 'uretprobe', 'usdt'] as const

/** The type of an attach point or pattern, if it is one in a program or library; else null. */
export function userTypeOf(text: string): string | null {
  const type = typeNamed(text.slice(0, text.indexOf(':')))
  return userTypes.some((each) => each === type) ? type : null
}

/** As it is called in its file: a function, or `PROVIDER:NAME`. */
export function nameInFile(point: UserPoint): string {
  return point.type === 'usdt' ? `${point.provider}:${point.name}` : point.name
}

/** Whether it lies in a program or library. */
export function isUserPoint(point: AttachPoint): point is UserPoint {
  return point.type === 'uprobe' || point.type === 'usdt'
}

/** Names that users bring from other tools. */
const aliases: Readonly<Record<string, string>> = {
  t: 'tracepoint',
  rt: 'rawtracepoint',
  raw_tp: 'rawtracepoint',
  p: 'kprobe',
  k: 'kprobe',
  r: 'kretprobe',
  kr: 'kretprobe',
  kfunc: 'fentry',
  kretfunc: 'fexit',
  f: 'fentry',
  fn: 'function',
  u: 'uprobe',
  ur: 'uretprobe',
}

/** The type that a word stands for. */
export function typeNamed(word: string): string {
  return Object.hasOwn(aliases, word) ? (aliases[word] ?? '') : word
}

/** A function of the kernel; dots stand in those that the compiler split. */
const functionName = /^[A-Za-z_][\w.]{0,511}$/
const word = /^\w{1,128}$/
/** A path, or a name of a program or library; nothing that bpftrace gives a meaning to. */
const fileName = /^(?:[\w.+-]{1,128}|(?:\/[\w.+-]{1,255}){1,32})$/

const known =
  'tracepoint:CATEGORY:NAME, rawtracepoint:NAME, kprobe:FUNCTION, kretprobe:FUNCTION, fentry:FUNCTION, fexit:FUNCTION, function:FUNCTION, syscall:NAME, uprobe:FILE:FUNCTION, uretprobe:FILE:FUNCTION, usdt:FILE:PROVIDER:NAME'

/**
 * Reads an attach point. `function:` leaves the way to the plan, `syscall:openat` is the tracepoint of its entry. Throws BAD_VALUE:
 * what it returns holds only letters, digits, `_` and `.`, so that it can stand in a program.
 */
export function parseAttachPoint(text: string): AttachPoint {
  const [typed = '', ...rest] = text.split(':')
  const type = typeNamed(typed)
  const [first = '', second] = rest
  if (type === 'tracepoint' && rest.length === 2 && word.test(first) && word.test(second ?? ''))
    return { type, category: first, name: second ?? '' }
  if (type === 'rawtracepoint' && rest.length === 1 && word.test(first))
    return { type, name: first }
  if (type === 'syscall' && rest.length === 1 && word.test(first))
    return { type: 'tracepoint', category: 'syscalls', name: `sys_enter_${first}` }
  const inFile = userPointOf(type, rest)
  if (inFile !== null) return inFile
  const place = functionOf(rest)
  if (place !== null) {
    if (type === 'kprobe' || type === 'fentry') return { type, atReturn: false, ...place }
    if (type === 'kretprobe') return { type: 'kprobe', atReturn: true, ...place }
    if (type === 'fexit') return { type: 'fentry', atReturn: true, ...place }
    if (type === 'function') return { type, ...place }
  }
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: 'an attach point was expected',
    expected: known,
    found: JSON.stringify(text.slice(0, 120)),
    remedy: "ebpf-run list --attach-points 'kprobe:tcp_*' finds some",
  })
}

function userPointOf(type: string, [file = '', ...rest]: readonly string[]): UserPoint | null {
  const [first = '', second = ''] = rest
  if (!fileName.test(file)) return null
  if (type === 'usdt')
    return rest.length === 2 && word.test(first) && word.test(second)
      ? { type, file, provider: first, name: second }
      : null
  if ((type !== 'uprobe' && type !== 'uretprobe') || rest.length !== 1) return null
  return /^\w{1,512}$/.test(first)
    ? { type: 'uprobe', atReturn: type === 'uretprobe', file, name: first }
    : null
}

function functionOf(rest: readonly string[]): { module: string | null; name: string } | null {
  const [first = '', second] = rest
  if (rest.length === 1 && functionName.test(first)) return { module: null, name: first }
  if (rest.length === 2 && word.test(first) && functionName.test(second ?? ''))
    return { module: first, name: second ?? '' }
  return null
}

/** As `list --attach-points` spells it. */
export function attachPointText(point: AttachPoint): string {
  if (point.type === 'tracepoint') return `tracepoint:${point.category}:${point.name}`
  if (point.type === 'rawtracepoint') return `rawtracepoint:${point.name}`
  if (point.type === 'usdt') return `usdt:${point.file}:${nameInFile(point)}`
  if (point.type === 'uprobe')
    return `${point.atReturn ? 'uretprobe' : 'uprobe'}:${point.file}:${point.name}`
  return `${typeText(point)}:${point.module === null ? '' : `${point.module}:`}${point.name}`
}

function typeText(point: FunctionPoint): string {
  if (point.type === 'function') return 'function'
  if (point.type === 'kprobe') return point.atReturn ? 'kretprobe' : 'kprobe'
  return point.atReturn ? 'fexit' : 'fentry'
}
