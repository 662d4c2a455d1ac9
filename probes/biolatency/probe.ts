import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'

const requests = [
  {
    tracepoint: 'block:block_rq_issue',
    fields: ['dev', 'sector', 'nr_sector', 'bytes', 'rwbs'],
  },
  { tracepoint: 'block:block_rq_insert', fields: ['dev', 'sector', 'nr_sector', 'rwbs'] },
  {
    tracepoint: 'block:block_rq_complete',
    fields: ['dev', 'sector', 'nr_sector', 'error', 'rwbs'],
  },
] as const
const options = {
  started: {
    tracepoint: 'block:block_io_start',
    fields: ['dev', 'sector', 'nr_sector', 'rwbs'],
  },
} as const
const misses =
  'requests that begin or end while another tracing program runs on that CPU, and of two that do the same at the same place of a disk at the same time the first'

export default defineProbe({
  name: 'biolatency',
  summary: 'block I/O: how long disks took for reads, writes, flushes and discards',
  example: 'ebpf-run biolatency --duration 10',
  owner: 'task',
  failed: [{ field: 'result', min: -4095, max: -1 }],
  aggregate: { by: [], histogram: 'duration_ns' },
  params: {
    queued: {
      doc: '1 counts from when the request was put into the queue, 0 from when the disk got it',
      default: 0,
      min: 0,
      max: 1,
    },
  },
  events: {
    io: {
      doc: 'one request to a block device, when it is complete',
      fields: {
        time: common.time,
        ktime_ns: common.ktime_ns,
        pid: { ...common.pid, doc: 'process that started the request; 0 is the kernel itself' },
        comm: { ...common.comm, doc: 'command name of the thread that started the request' },
        cgroup: {
          ...common.cgroup,
          nullAs: '0',
          later: true,
          doc: 'cgroup v2 id of the thread that started the request',
        },
        container: common.container,
        dev: { kind: 'device', doc: 'the block device' },
        op: {
          kind: 'enum',
          names: { 1: 'read', 2: 'write', 3: 'flush', 4: 'discard', 5: 'other' },
          doc: 'what was asked for; erasing is a discard',
          width: 7,
        },
        rwbs: {
          kind: 'text',
          bytes: 9,
          emptyIsNull: true,
          later: true,
          doc: 'operation and flags in the letters of the block layer, such as `WS` for a write that somebody waits for',
          width: 6,
        },
        bytes: {
          kind: 'u64',
          unit: 'bytes',
          measure: true,
          doc: 'size of the request; 0 of a flush',
          width: 9,
        },
        sector: { kind: 'u64', doc: 'where it begins, in sectors of 512 bytes', width: 10 },
        result: { kind: 'result', doc: '0, or -errno', width: 6 },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'until it was complete, from when the disk got it, or with `--queued 1` from when it was put into the queue',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'comm', 'dev', 'op', 'bytes', 'result', 'duration_ns'],
    },
  },
  variants: [
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: requests,
      options,
      cannotTell: {},
      misses,
      cost: 'three or four tracepoint programs a request',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [{ bcc: '>=0.18.0' }, ...requests],
      options,
      cannotTell: {},
      misses,
      cost: 'three or four tracepoint programs a request; a compiler run of seconds at the start',
    },
  ],
})
