import type { RecordLayout } from '../wire/layout.ts'

/** One bpf_printk, with its message as it was, one character a byte. */
export interface Printk {
  readonly ktime: bigint
  readonly cpu: number
  readonly tid: number
  readonly flags: number
  readonly preemptDepth: number
  readonly message: string
}

/** Where the members of bpf_trace_printk lie, from its format file. */
export interface PrintkFormat {
  readonly id: number
  readonly type: number
  readonly flags: number
  readonly preempt: number
  readonly pid: number
  /** Of the word with offset (low half) and length (high half) of the text. */
  readonly text: number
}

/** The format file of the trace event; null when a member is missing. */
export function readPrintkFormat(text: string): PrintkFormat | null {
  const id = /^ID: (\d{1,5})$/m.exec(text)?.[1]
  const offset = (declared: string): number =>
    Number(new RegExp(`field:${declared};\\s*offset:(\\d{1,4});`).exec(text)?.[1] ?? Number.NaN)
  const format = {
    id: Number(id ?? Number.NaN),
    type: offset('unsigned short common_type'),
    flags: offset('unsigned char common_flags'),
    preempt: offset('unsigned char common_preempt_count'),
    pid: offset('int common_pid'),
    text: offset('__data_loc char\\[\\] bpf_string'),
  }
  return Object.values(format).some(Number.isNaN) ? null : format
}

/** The printk that a record of this event's is; null for a record of another event. Throws RangeError for one that is cut. */
export function readPrintk(
  format: PrintkFormat,
  cpu: number,
  ktime: bigint,
  data: Buffer,
): Printk | null {
  if (data.readUInt16LE(format.type) !== format.id) return null
  const place = data.readUInt32LE(format.text)
  const from = place & 0xffff
  const to = from + (place >>> 16)
  if (to > data.length) throw new RangeError(`a text from ${from} to ${to} of ${data.length}`)
  const text = data.toString('latin1', from, to)
  const end = text.indexOf('\0')
  const whole = end === -1 ? text : text.slice(0, end)
  return {
    ktime,
    cpu,
    tid: data.readInt32LE(format.pid),
    flags: data.readUInt8(format.flags),
    preemptDepth: data.readUInt8(format.preempt) & 15,
    message: whole.endsWith('\n') ? whole.slice(0, -1) : whole,
  }
}

/** What is known of a thread; null or empty where nothing is. `from`: 0 nowhere, 1 proc, 2 saved, 3 idle. */
export interface Task {
  readonly pid: number | null
  readonly name: string
  readonly from: 0 | 1 | 2 | 3
}

/** The layout of one event type, as the request has it. */
export type WireShape = Pick<RecordLayout, 'code' | 'event'> & {
  readonly closed: readonly string[]
  readonly texts: readonly string[]
}

/** The record on the wire (src/wire/layout.ts), one character a byte. Values that it has not are empty. */
export function recordLine(
  token: string,
  { code, closed, texts }: WireShape,
  printk: Printk,
  task: Task,
  values: ReadonlyMap<string, string>,
): string {
  const own: Readonly<Record<string, string>> = {
    ktime_ns: String(printk.ktime),
    cpu: String(printk.cpu),
    tid: String(printk.tid),
    pid: task.pid === null ? '' : String(task.pid),
    task: task.name,
    task_from: String(task.from),
    flags: String(printk.flags),
    preempt_depth: String(printk.preemptDepth),
    function: 'bpf_trace_printk',
    message: printk.message,
  }
  const text = (name: string): string => values.get(name) ?? own[name] ?? ''
  return `${token}${code}${closed.map((name) => `\t${text(name)}`).join('')}${texts
    .map((name) => `${token}\t${text(name)}`)
    .join('')}${token}\n`
}
