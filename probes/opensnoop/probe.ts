import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'
import { openFlags } from '../../src/schema/open-flags.ts'

/** System calls that not every kernel or machine has. */
const options = {
  open: { tracepoint: 'syscalls:sys_enter_open', fields: ['filename', 'flags', 'mode'] },
  openat2: { tracepoint: 'syscalls:sys_enter_openat2', fields: ['dfd', 'filename', 'how'] },
  creat: { tracepoint: 'syscalls:sys_enter_creat', fields: ['pathname', 'mode'] },
} as const

/** What the kernel knows of a task's directories and mounts. */
const directories = [
  { btf: 'task_struct.fs' },
  { btf: 'fs_struct.pwd.dentry' },
  { btf: 'files_struct.fdt' },
  { btf: 'file.f_path.dentry' },
  { btf: 'dentry.d_name.name' },
  { btf: 'vfsmount.mnt_root' },
  { btf: 'mount.mnt' },
  { btf: 'mount.mnt_parent' },
  { btf: 'mount.mnt_mountpoint' },
] as const
/** A record of bpftrace before 0.16 has no room for one field more. */
const roomy = { bpftrace: '>=0.16.0' } as const

export default defineProbe({
  name: 'opensnoop',
  summary: 'file opens: path, flags, descriptor or errno, and how long it took',
  example: 'ebpf-run opensnoop --failed',
  owner: 'task',
  inTask: true,
  switches: {
    'full-path': {
      doc: 'also the path from the root of the process: a relative one behind the directory that it starts from',
      fields: ['path'],
      table: ['time', 'pid', 'comm', 'fd', 'result', 'path'],
    },
  },
  failed: [{ field: 'result', min: -4095, max: -1 }],
  events: {
    open: {
      doc: 'one open(), openat(), openat2() or creat()',
      fields: {
        ...common,
        filename: {
          kind: 'text',
          bytes: 128,
          emptyIsNull: true,
          doc: 'path as the caller gave it; null when it could not be read or was empty',
          width: 24,
        },
        path: {
          kind: 'path',
          nullable: true,
          later: true,
          bytes: 128,
          doc: 'with `--full-path` the path from the root of the process; null where its directories do not lead there',
        },
        dirfd: {
          kind: 'i32',
          doc: 'descriptor of the directory that a relative path starts from; null for the current directory',
          nullAs: -100,
        },
        access: {
          kind: 'enum',
          names: { 0: 'read', 1: 'write', 2: 'read-write', 3: 'none' },
          doc: 'what the file was opened for: the two lowest bits of `flags`',
          width: 10,
        },
        flags: {
          kind: 'enum',
          was: 'u32',
          flags: openFlags,
          doc: 'flags of the call, see open(2); O_RDONLY is none of them',
          width: 20,
        },
        mode: {
          kind: 'u32',
          doc: 'permissions for a file that the call may create, before the umask; null without O_CREAT and O_TMPFILE',
          nullAs: -1,
        },
        fd: { kind: 'i32', doc: 'the new descriptor; null when the call failed', nullAs: -1 },
        result: { kind: 'result', doc: 'what the call came to: 0, or -errno' },
        duration_ns: {
          kind: 'duration',
          unit: 'ns',
          doc: 'from the start of the call to its return',
          heading: 'MS',
        },
      },
      table: ['time', 'pid', 'comm', 'fd', 'result', 'filename'],
    },
  },
  variants: [
    {
      name: 'tracepoint',
      backend: 'bpftrace',
      template: 'tracepoint.bt',
      needs: [
        { tracepoint: 'syscalls:sys_enter_openat', fields: ['dfd', 'filename', 'flags', 'mode'] },
        { tracepoint: 'syscalls:sys_exit_openat', fields: ['ret'] },
      ],
      options,
      switches: { 'full-path': [roomy, ...directories] },
      cannotTell: {},
      misses: 'calls made while another tracing program runs on that CPU, and opens by io_uring',
      cost: 'two tracepoint programs an open',
    },
    {
      name: 'bcc',
      backend: 'bcc',
      template: 'fallback.bcc.c',
      needs: [
        { bcc: '>=0.18.0' },
        { headers: true },
        { tracepoint: 'syscalls:sys_enter_openat', fields: ['dfd', 'filename', 'flags', 'mode'] },
        { tracepoint: 'syscalls:sys_exit_openat', fields: ['ret'] },
      ],
      options,
      switches: { 'full-path': directories },
      cannotTell: {},
      misses: 'calls made while another tracing program runs on that CPU, and opens by io_uring',
      cost: 'two tracepoint programs an open; a compiler run of seconds at the start',
    },
  ],
})
