import type { AnyEvent, ProbeSpec } from '../../src/schema/define.ts'
import { common, socket } from '../../src/schema/common.ts'
import { sinks, type SinkName } from '../../src/sinks/index.ts'
import type { Out, SinkOptions } from '../../src/sinks/sink.ts'

/** An Out that remembers what it was given, as the bytes a file would hold. */
export interface Memory extends Out {
  text(): string
  resize(columns: number): void
}

export function pipe(): Memory {
  return memory(null, false, null)
}

/** One on which nothing can be drawn anew, unless it has a number of lines. */
export function terminal(columns: number, color = false, rows: number | null = null): Memory {
  return memory(columns, color, rows)
}

function memory(initial: number | null, color: boolean, rows: number | null): Memory {
  const chunks: Buffer[] = []
  let width = initial
  return {
    write(bytes) {
      chunks.push(typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.copyBytesFrom(bytes))
      return true
    },
    isTerminal: initial !== null,
    columns: () => width,
    rows: () => rows,
    color,
    text: () => Buffer.concat(chunks).toString('utf8'),
    resize: (columns) => {
      width = columns
    },
  }
}

/** What a sink writes for these events, from its begin to its end. */
export function written(
  name: SinkName,
  out: Memory,
  events: readonly AnyEvent[],
  options: Pick<SinkOptions, 'probe'> & Partial<SinkOptions>,
): string {
  const sink = sinks[name](out, { fields: null, header: true, utc: true, ...options })
  sink.begin()
  events.forEach((event) => sink.event(event))
  sink.end()
  return out.text()
}

const variants: ProbeSpec['variants'] = [
  {
    name: 'kprobe',
    backend: 'bpftrace',
    template: 'kprobe.bt',
    needs: [{ function: 'tcp_v4_connect', by: 'kprobe' }, { bpftrace: '>=0.16.0' }],
    cannotTell: {},
    misses: 'calls made while another tracing program runs on that CPU',
    cost: 'a kprobe a call',
  },
]

/** A probe with addresses, a result and a duration. */
export const connects: ProbeSpec = {
  name: 'connects',
  summary: 'connections somebody made',
  example: 'ebpf-run connects --rport 443',
  owner: 'task',
  events: {
    connect: {
      doc: 'one connect()',
      fields: {
        ...common,
        raddr: socket.raddr,
        rport: socket.rport,
        result: { kind: 'result', doc: 'return of connect()' },
        duration_ns: { kind: 'duration', unit: 'ns', doc: 'from call to return', nullable: true },
      },
      table: ['time', 'pid', 'comm', 'raddr', 'rport', 'result'],
    },
  },
  variants,
}

export const connect: AnyEvent = {
  event: 'connect',
  time: '2026-11-21T03:30:00.123456789Z',
  ktime_ns: '9007199254740993',
  pid: 4711,
  tid: 4711,
  cpu: 3,
  uid: 1000,
  comm: 'curl',
  cgroup: '18446744073709551615',
  container: null,
  raddr: '192.0.2.7',
  rport: 443,
  result: { code: 0, name: 'OK' },
  duration_ns: 1_234_567,
}

/** A probe with texts that take the rest of a line. */
export const execs: ProbeSpec = {
  name: 'execs',
  summary: 'programs somebody started',
  example: 'ebpf-run execs',
  owner: 'task',
  events: {
    exec: {
      doc: 'one execve()',
      fields: {
        time: common.time,
        pid: common.pid,
        ppid: { kind: 'u32', doc: "the parent's process id", nullAs: -1 },
        comm: common.comm,
        ret: { kind: 'i32', doc: 'return value: 0, or -errno' },
        argv: { kind: 'texts', bytes: 128, nullable: true, doc: 'arguments', width: 40 },
      },
      table: ['time', 'pid', 'ppid', 'comm', 'ret', 'argv'],
    },
  },
  variants,
}

export const exec: AnyEvent = {
  event: 'exec',
  time: '2026-11-21T03:30:00.123456789Z',
  pid: 4711,
  ppid: 1,
  comm: 'systemd-journal',
  ret: -2,
  argv: ['ls', '-l', '/var/lib/docker/overlay2/l/7QZ', 'a b'],
}

/** A probe with two event types. */
export const sockets: ProbeSpec = {
  name: 'sockets',
  summary: 'sockets that open and close',
  example: 'ebpf-run sockets',
  owner: 'socket',
  events: {
    open: {
      doc: 'a socket opened',
      fields: { pid: common.pid, comm: common.comm },
      table: ['pid', 'comm'],
    },
    close: {
      doc: 'a socket closed',
      fields: {
        pid: common.pid,
        why: { kind: 'enum', doc: 'who closed it', names: { 1: 'local', 2: 'peer (RST)' } },
      },
      table: ['pid', 'why'],
    },
  },
  variants,
}
