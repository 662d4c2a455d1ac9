import type { Value } from './compile.ts'
import { asInt } from './fields.ts'
import { nameInFile, type UserPoint } from './point.ts'
import type { TraceRequest } from './request.ts'
import type { Mark, UsdtArgument } from './usdt.ts'
import { tasksInC } from './user-bcc.ts'
import type { Way } from './ways.ts'

/**
 * bpftrace from 0.22 on keeps large values in a buffer of the CPU, and a program at a function of user space can be preempted by
 * another one: its events would get the values of that (measured with 0.27.1 on 7.2).
 */
const keepsOnStack = '<0.22.0'
/** 0.11 dies where a mark has a counter to raise, and no process was named (measured; 0.17 raises it). */
const raisesCounters = '>=0.17.0 <0.22.0'

/** Registers that hold arguments (x86-64, System V). */
const inRegisters = 6

const number = { is: 'int', size: 8, signed: false } as const
const unnamed: UsdtArgument = { size: 8, signed: false, inMemory: false, lack: null }

/** Arguments have no names, and nobody knows their types: arg0, arg1. A mark says how wide its own are. */
function userArguments(
  types: readonly UsdtArgument[] = Array.from({ length: inRegisters }, () => unnamed),
): Record<string, Value> {
  return Object.fromEntries(
    types.flatMap(({ size, signed, lack }, index) => {
      if (lack !== null) return []
      const type = { ...number, size, signed }
      const code = `arg${index}`
      return [[code, { type, code: size < 8 ? asInt(code, type) : code }]]
    }),
  )
}

/** Arguments that a mark has and nobody can read, with the reason. */
function lacksOf(mark: Mark | null): Record<string, string> {
  return Object.fromEntries(
    (mark?.arguments ?? []).flatMap(({ lack }, index) =>
      lack === null ? [] : [[`arg${index}`, lack]],
    ),
  )
}

/** What both ways have: where they are attached, what is returned there, and what people should know. */
function common(point: UserPoint, { atReturn, latency }: TraceRequest) {
  const returns = point.type === 'uprobe' && (atReturn || latency || point.atReturn)
  const place = `${point.file} ${nameInFile(point)}`
  const retval: Record<string, Value> = returns
    ? { retval: { type: { ...number, signed: true }, code: 'retval' } }
    : {}
  return {
    returns,
    retval,
    entry: returns ? `{{uprobe ${place}}}` : null,
    attach: `{{${returns ? 'uretprobe' : point.type} ${place}}}`,
    misses: `calls made while another tracing program runs on that CPU${returns ? '; calls that never return, such as those of exit() or longjmp()' : ''}`,
    cost: returns ? 'a uprobe and a uretprobe a call' : 'a uprobe a call',
  }
}

/** How bpftrace traces a function or a mark of user space. */
export function userWay(point: UserPoint, request: TraceRequest, mark: Mark | null): Way {
  const { returns, retval, ...rest } = common(point, request)
  const scope = userArguments(mark?.arguments)
  const isUnsure = mark?.arguments.some(({ inMemory }) => inMemory) ?? false
  const kept = returns
    ? Object.keys(scope).map((name, index) => ({
        name,
        map: `@a${index}${request.part?.maps ?? ''}[tid]`,
      }))
    : []
  return {
    ...rest,
    name: point.type,
    misses: `${rest.misses}${isUnsure ? '; an argument whose page is not in memory is 0' : ''}`,
    needs: [
      { bpftrace: mark?.hasCounter === true ? raisesCounters : keepsOnStack },
      point.type === 'usdt'
        ? { usdt: nameInFile(point), library: point.file }
        : { uprobe: point.name, library: point.file },
    ],
    scope: {
      ...scope,
      ...Object.fromEntries(kept.map(({ name, map }) => [name, { type: number, code: map }])),
      ...retval,
    },
    lacks: lacksOf(mark),
    keep: kept.map(({ name, map }) => `${map} = (uint64)${name};`),
    forget: kept.map(({ map }) => `delete(${map});`),
  }
}

/** The same by bcc. Its values are C; names are those of user-bcc.ts. */
export function userWayInC(point: UserPoint, request: TraceRequest, mark: Mark | null): Way {
  const { retval, cost, entry, attach, misses } = common(point, request)
  return {
    ...{ name: 'bcc', language: 'c', entry, attach, misses, keep: [], forget: [] },
    needs: [
      { bcc: '>=0.18.0' },
      ...(point.type === 'usdt'
        ? [{ usdt: nameInFile(point), library: point.file }]
        : [{ headers: true } as const, { uprobe: point.name, library: point.file }]),
    ],
    scope: { ...tasksInC, ...userArguments(mark?.arguments), ...retval },
    lacks: lacksOf(mark),
    cost: `${cost}; a compiler run of seconds at the start`,
  }
}
