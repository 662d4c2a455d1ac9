// A probe for the benchmark alone: each write() of one process to one descriptor. The template stands beside it.
import { common } from '../../dist/src/schema/common.js'
import { defineProbe } from '../../dist/src/schema/define.js'

const { cgroup: _, ...task } = common

export const writes = defineProbe({
  name: 'writes',
  summary: 'writes of one process to one descriptor',
  example: 'node scripts/bench/cli.mjs writes --target 123 --fd 3',
  owner: 'task',
  params: {
    target: { doc: 'process id', default: 0, min: 0, max: 4_194_304 },
    fd: { doc: 'file descriptor', default: 1, min: 0, max: 1_048_576 },
  },
  events: {
    write: {
      doc: 'one write() that begins',
      fields: {
        ...task,
        fd: { kind: 'u32', doc: 'file descriptor' },
        bytes: { kind: 'u64', doc: 'bytes to be written' },
      },
      table: ['time', 'pid', 'comm', 'fd', 'bytes'],
    },
  },
  variants: [
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: new URL('./writes.bt', import.meta.url).href,
      needs: [{ tracepoint: 'syscalls:sys_enter_write' }],
      cannotTell: {},
      misses: 'nothing',
      cost: 'one program run for each write() of the machine',
    },
  ],
})
