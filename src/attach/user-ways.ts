import type { UsdtArgument } from './usdt-arguments.ts'
import type { Value } from './compile.ts'
import { asInt } from './fields.ts'
import type { UserPoint } from './point.ts'
import type { TraceRequest } from './request.ts'
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

/** Arguments have no names, and nobody knows their types: arg0, arg1. A mark says how wide its own are. */
export function userArguments(marked: readonly UsdtArgument[] | null): Record<string, Value> {
  const types = marked ?? Array.from({ length: inRegisters }, () => ({ size: 8, signed: false }))
  return Object.fromEntries(
    types.map(({ size, signed }, index) => {
      const type = { ...number, size, signed }
      const code = `arg${index}`
      return [code, { type, code: size < 8 ? asInt(code, type) : code }]
    }),
  )
}

/** How bpftrace traces a function or a mark of user space. */
export function userWay(
  point: UserPoint,
  { atReturn, latency, part }: TraceRequest,
  marked: readonly UsdtArgument[] | null,
  hasCounter = false,
): Way {
  const place = `${point.file} ${point.type === 'usdt' ? `${point.provider}:${point.name}` : point.name}`
  const returns = point.type === 'uprobe' && (atReturn || latency || point.atReturn)
  const entryScope = userArguments(marked)
  const kept = returns
    ? Object.keys(entryScope).map((name, index) => ({
        name,
        map: `@a${index}${part?.maps ?? ''}[tid]`,
      }))
    : []
  const retval: Record<string, Value> = returns
    ? { retval: { type: { ...number, signed: true }, code: 'retval' } }
    : {}
  return {
    name: point.type,
    needs: [
      { bpftrace: hasCounter ? raisesCounters : keepsOnStack },
      point.type === 'usdt'
        ? { usdt: `${point.provider}:${point.name}`, library: point.file }
        : { uprobe: point.name, library: point.file },
    ],
    scope: {
      ...entryScope,
      ...Object.fromEntries(
        kept.map(({ name, map }) => [name, { type: entryScope[name]?.type ?? number, code: map }]),
      ),
      ...retval,
    },
    entry: returns ? `{{uprobe ${place}}}` : null,
    attach: `{{${point.type === 'usdt' ? 'usdt' : returns ? 'uretprobe' : 'uprobe'} ${place}}}`,
    keep: kept.map(({ name, map }) => `${map} = (uint64)${name};`),
    forget: kept.map(({ map }) => `delete(${map});`),
    misses: `calls made while another tracing program runs on that CPU${returns ? '; calls that never return, such as those of exit() or longjmp()' : ''}`,
    cost: returns ? 'a uprobe and a uretprobe a call' : 'a uprobe a call',
  }
}

/** The same function by bcc. Its values are C; names are those of user-bcc.ts. */
export function userWayInC(
  point: UserPoint & { type: 'uprobe' },
  { atReturn, latency }: TraceRequest,
): Way {
  const returns = atReturn || latency || point.atReturn
  const place = `${point.file} ${point.name}`
  return {
    name: 'bcc',
    language: 'c',
    needs: [{ bcc: '>=0.18.0' }, { headers: true }, { uprobe: point.name, library: point.file }],
    scope: {
      ...tasksInC,
      ...userArguments(null),
      ...(returns ? { retval: { type: { ...number, signed: true }, code: 'retval' } } : {}),
    },
    entry: returns ? `{{uprobe ${place}}}` : null,
    attach: `{{${returns ? 'uretprobe' : 'uprobe'} ${place}}}`,
    keep: [],
    forget: [],
    misses: `calls made while another tracing program runs on that CPU${returns ? '; calls that never return, such as those of exit() or longjmp()' : ''}`,
    cost: `${returns ? 'a uprobe and a uretprobe a call' : 'a uprobe a call'}; a compiler run of seconds at the start`,
  }
}
