import { common } from '../schema/common.ts'
import type { EventSpec, FieldSpec, Fields, ProbeSpec } from '../schema/define.ts'
import type { Conversion, Piece } from './pattern.ts'

/** The tracepoint that the kernel passes for each bpf_printk, since 5.9. */
export const printkTracepoint = 'bpf_trace:bpf_trace_printk'

/** Bits of `common_flags` (include/linux/trace_events.h), the lowest first. */
const flagNames = [
  'IRQS_OFF',
  'NEED_RESCHED_LAZY',
  'NEED_RESCHED',
  'HARDIRQ',
  'SOFTIRQ',
  'PREEMPT_RESCHED',
  'NMI',
  'BH_OFF',
] as const

const message: Fields = {
  time: common.time,
  ktime_ns: common.ktime_ns,
  cpu: common.cpu,
  tid: {
    ...common.tid,
    doc: 'thread that ran the program, as the kernel numbers it: the PID of trace_pipe',
  },
  pid: {
    ...common.pid,
    nullAs: '',
    doc: 'its process; null when the thread was gone before it was looked up',
  },
  task: {
    kind: 'text',
    bytes: 15,
    emptyIsNull: true,
    doc: "the thread's command name, looked up when the message was read",
  },
  task_from: {
    kind: 'enum',
    names: { 1: 'proc', 2: 'saved', 3: 'idle' },
    nullAs: 0,
    width: 5,
    heading: 'FROM',
    doc: 'where the name is known from: `proc` is the live thread, `saved` the list of recent names of the kernel, in which a name with a line end can pretend to be another one, `idle` the idle task',
  },
  flags: {
    kind: 'enum',
    flags: flagNames,
    doc: 'the context: IRQS_OFF, HARDIRQ, SOFTIRQ, NMI and others, joined by |',
  },
  preempt_depth: { kind: 'u8', doc: 'how often preemption was disabled, 15 for more' },
  function: { kind: 'text', bytes: 64, doc: 'the trace event that carried the message' },
  message: {
    kind: 'text',
    bytes: 1_022,
    width: 40,
    doc: 'what the program printed, without the line end at its end; the kernel keeps 1,023 bytes',
  },
}

const kindOf: Readonly<Record<Conversion, Pick<FieldSpec, 'kind' | 'bytes' | 'nullAs'>>> = {
  i32: { kind: 'i32' },
  u32: { kind: 'u32' },
  x32: { kind: 'u32' },
  i64: { kind: 'i64' },
  u64: { kind: 'u64' },
  x64: { kind: 'u64' },
  pointer: { kind: 'pointer', nullAs: '' },
  ipv4: { kind: 'address' },
  ipv6: { kind: 'address' },
  char: { kind: 'text', bytes: 1 },
  text: { kind: 'text', bytes: 1_022 },
}

/** Most values in the default table. */
const shownValues = 5

/** A definition, and what its one variant runs. */
export interface MadeProbe {
  readonly spec: ProbeSpec
  readonly templates: Readonly<Record<string, string>>
}

/** The probe that reads bpf_printk, with a field for each value of the pattern; null: no pattern. */
export function definePrintk(pattern: readonly Piece[] | null): MadeProbe {
  const values = (pattern ?? []).flatMap((piece) => ('name' in piece ? [piece] : []))
  const names = values.map(({ name }) => name)
  const valueFields = (asNull: boolean): Fields =>
    Object.fromEntries(
      values.map(({ name, as }) => [
        name,
        {
          doc: `value of the message, by --pattern${as.startsWith('x') ? ' (written in hexadecimal)' : ''}`,
          ...kindOf[as],
          ...(!asNull
            ? {}
            : as === 'text' || as === 'char'
              ? { emptyIsNull: true }
              : { nullAs: '' }),
        },
      ]),
    )
  const table = ['time', 'task', 'tid', ...names.slice(0, shownValues), 'message']
  const event = (doc: string, asNull: boolean): EventSpec => ({
    doc,
    fields: { ...message, ...valueFields(asNull) },
    table,
  })
  const spec: ProbeSpec = {
    name: 'pipe',
    summary: 'messages that BPF programs print with bpf_printk (bpf_trace_printk)',
    example: "ebpf-run pipe --pattern 'PID %{caller}d -> %{host}s:%{port}u'",
    owner: 'task',
    events: {
      printk: event('a message of a BPF program', false),
      ...(pattern === null
        ? {}
        : { unmatched: event('a message that is not of the pattern: its values are null', true) }),
    },
    variants: [
      {
        name: 'printk',
        backend: 'tracefs',
        template: 'pattern.json',
        needs: [{ tracepoint: printkTracepoint, fields: ['bpf_string'] }],
        cannotTell: {},
        misses: 'nothing that the kernel writes into a trace buffer; what does not fit is counted',
        cost: 'a second trace event for each message, in a trace instance of our own',
      },
    ],
  }
  return { spec, templates: { printk: JSON.stringify(pattern) } }
}
