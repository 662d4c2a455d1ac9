import { vi } from 'vitest'
import { common, socket } from '../../src/schema/common.ts'
import type { AnyEvent, EventSpec } from '../../src/schema/define.ts'
import { createDecoder, type FaultReason } from '../../src/wire/decoder.ts'
import { layoutsOfProbe, type RecordLayout } from '../../src/wire/layout.ts'

/** Many streams are decoded in one test, and the machine may be busy. */
vi.setConfig({ testTimeout: 120_000 })

/** What a decoder told, in order. NDJSON lines are told one by one, parsed. */
export type Told =
  | { readonly event: AnyEvent }
  | { readonly fault: FaultReason; readonly type: string | null }
  | { readonly other: string }
  | { readonly heartbeat: string }
  | { readonly end: string }

/** A token as the project draws them: its first character is a digit that stands nowhere else in it. */
export const token = '1b70375a7058326d'

/** An event with every kind, and every way to be null. */
export const kitchen = {
  doc: 'every kind',
  fields: {
    time: common.time,
    ktime_ns: common.ktime_ns,
    small: { kind: 'u8', doc: '' },
    pid: common.pid,
    ppid: { kind: 'u32', nullAs: -1, doc: '' },
    comm: common.comm,
    whence: { kind: 'constant', always: 'task "1" // */ `${0}`', doc: '' },
    cgroup: common.cgroup,
    container: common.container,
    span: { kind: 'duration', doc: '' },
    ...socket,
    lport: { ...socket.lport, nullAs: 0 },
    laddr: { ...socket.laddr, nullAs: '::' },
    lfamily: { kind: 'family', of: 'laddr', nullable: true, doc: '' },
    state: { kind: 'enum', names: { 1: 'ONE', 2: 'two "2"' }, doc: '' },
    result: { kind: 'result', names: { '-4242': 'OWN', '7': 'seven "7"' }, doc: '' },
    ret: { kind: 'i32', doc: '' },
    delta: { kind: 'i64', doc: '' },
    where: { kind: 'pointer', nullAs: '0', doc: '' },
    load: { kind: 'load', doc: '' },
    error: { kind: 'errno', of: 'ret', nullable: true, doc: '' },
    path: { kind: 'text', bytes: 8, emptyIsNull: true, doc: '' },
    note: { kind: 'text', doc: '' },
  },
  table: [],
} as const satisfies EventSpec

/** An event with one list, as execsnoop has it. */
export const listing = {
  doc: 'a list',
  fields: {
    ktime_ns: common.ktime_ns,
    tid: common.tid,
    argc: { kind: 'u32', nullAs: -1, doc: '' },
    argv: { kind: 'texts', bytes: 6, nullable: true, doc: '' },
  },
  table: [],
} as const satisfies EventSpec

/** A short event, for tests of what is between and around fields. */
export const short = {
  doc: 'two numbers and a text',
  fields: { pid: common.pid, ret: { kind: 'i32', doc: '' }, comm: common.comm },
  table: [],
} as const satisfies EventSpec

export const events = { kitchen, listing, short }
export const layouts = layoutsOfProbe(events)

/** The layout of an event's own record. */
export function layoutOf(event: keyof typeof events): RecordLayout {
  const layout = layouts.find((one) => one.event === event && one.part === undefined)
  if (!layout) throw new Error(`no layout of ${event}`)
  return layout
}

/** Codes of the layouts above. */
export const codes = { kitchen: '0', listing: '1', part: '2', short: '3' } as const

/** Cgroup 4242 is the container `web-1`. */
export const harnessContainers = {
  nameOf: (cgroup: string) => (cgroup === '4242' ? 'web-1' : null),
}

/** A record as bpftrace prints it, one character a byte. */
export function record(
  code: string,
  closed: readonly (string | number)[],
  texts: readonly string[] = [],
): string {
  const fields = closed.map((field) => `\t${field}`).join('')
  return `${token}${code}${fields}${token}${texts.map((text) => `\t${text}${token}`).join('')}\n`
}

export function shortRecord(pid: number, comm = 'sh'): string {
  return record(codes.short, [pid, 0], [comm])
}

/** Decodes latin1 chunks and ends the stream. */
export function decode(
  chunks: string | readonly string[],
  options: { mode?: 'object' | 'ndjson'; offsetNs?: bigint } = {},
): readonly Told[] {
  const told: Told[] = []
  const decoder = createDecoder({
    token,
    events,
    layouts,
    clock: { offsetNs: options.offsetNs ?? 0n },
    containers: harnessContainers,
    mode: options.mode ?? 'object',
    handlers: {
      event: (event) => told.push({ event }),
      lines: (lines) => told.push(...linesOf(lines).map((line) => ({ event: JSON.parse(line) }))),
      heartbeat: (ktime) => told.push({ heartbeat: ktime }),
      end: (ktime) => told.push({ end: ktime }),
      fault: (type, fault) => told.push({ fault, type }),
      other: (other) => told.push({ other }),
    },
  })
  for (const chunk of typeof chunks === 'string' ? [chunks] : chunks) {
    decoder.push(Buffer.from(chunk, 'latin1'))
  }
  decoder.end()
  return told
}

/** NDJSON to its lines. */
export function linesOf(lines: Buffer): readonly string[] {
  return lines.toString('utf8').split('\n').slice(0, -1)
}

/** The events among what was told. */
export function eventsOf(told: readonly Told[]): readonly AnyEvent[] {
  return told.flatMap((one) => ('event' in one ? [one.event] : []))
}

/** What was told beside events. */
export function restOf(told: readonly Told[]): readonly Told[] {
  return told.filter((one) => !('event' in one))
}

/** Cuts a text into pieces of `size` characters. */
export function piecesOf(text: string, size: number): readonly string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
    text.slice(at * size, (at + 1) * size),
  )
}

/** Repeatable random numbers of 0 to 2^32 - 1 (xorshift). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
