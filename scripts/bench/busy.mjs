// The probe of the benchmark: every write() of a dd that it starts, with ten fields. Not in the catalogue.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { common } from '../../dist/src/schema/common.js'

const template = `tracepoint:syscalls:sys_enter_write
/comm == "dd"/
{
  $fd = (uint64)args->fd;
  $count = (uint64)args->count;
  {{emit write
    task
    fd = $fd
    count = $count
  }}
}
`

export const busyProbe = {
  spec: {
    name: 'busy',
    summary: 'writes of dd',
    example: '',
    owner: 'task',
    events: {
      write: {
        doc: 'one write()',
        fields: {
          ...common,
          fd: { kind: 'u32', doc: 'descriptor' },
          count: { kind: 'u64', doc: 'bytes' },
        },
        table: ['pid'],
      },
    },
    variants: [
      {
        name: 'tracepoint',
        backend: 'bpftrace',
        template: 'busy.bt',
        needs: [{ tracepoint: 'syscalls:sys_enter_write', fields: ['fd', 'count'] }],
        cannotTell: {},
        misses: '',
        cost: '',
      },
    ],
  },
  templates: { tracepoint: template },
}

/** The same fields, as one would write them by hand. */
export const bareProgram = `tracepoint:syscalls:sys_enter_write /comm == "dd"/ { @n = count(); printf("%llu\\t%llu\\t%llu\\t%llu\\t%llu\\t%llu\\t%llu\\t%llu\\t%s\\n", nsecs, pid, tid, cpu, uid, cgroup, args->fd, args->count, comm); } interval:ms:10 /@ready < 3/ { @ready = @ready + 1; printf("ready\\n"); }\n`

/** A burst of writes; resolves when it is over. */
export async function burst(writes) {
  const dd = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${writes}`], {
    stdio: 'ignore',
  })
  await once(dd, 'close')
}
