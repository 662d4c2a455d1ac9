// What the lab runs: every probe in every variant, each probe once more beside bcc's tool, and summaries with each back-end.
import { readdirSync } from 'node:fs'
import { exceptions, keys, untold } from './both-cells.mjs'
import { toolNames } from './inside/bcc.mjs'
import { traceCells } from './trace-cells.mjs'

const root = new URL('../../', import.meta.url)

/** The probes of the built package: name and variants, from the definitions themselves. */
export async function loadDefinitions() {
  const names = readdirSync(new URL('probes/', root), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  return Promise.all(
    names.map(
      async ({ name }) =>
        (await import(new URL(`dist/probes/${name}/probe.js`, root).href)).default,
    ),
  )
}

/** What a cell asks for beside its variant: without it, the workload's events would drown in those of the machine. */
const asked = {
  // The workload has mounts of its own, our network and our pids: a program that reads another number shows nothing.
  killsnoop: [
    ...['--mntns', '!/proc/self/ns/mnt,!0', '--netns', '/proc/self/ns/net'],
    ...['--pidns', '/proc/self/ns/pid', '--ppid', '!0'],
  ],
  runqlat: ['--uid', '47110'],
  syscount: [
    '--syscall',
    'pause,getpgid,getsid,clock_nanosleep,execveat,rt_sigreturn,exit_group,5000,i386_getpgid,i386_getsid,70536',
  ],
}

/** Probes whose workload prepares sockets that are to be older than the run. */
const withOlder = ['tcpsynbl']

export const cell = (
  name,
  { name: probe, aggregate, onInterfaces = false },
  variant,
  switches = [],
) => ({
  name,
  probe,
  variant,
  backend: null,
  bcc: false,
  owners: false,
  events: aggregate !== undefined,
  /** The workload makes interfaces first, and says which. */
  onInterfaces,
  hasOlder: withOlder.includes(probe),
  /** Fields to group by where it counts in the kernel. */
  by: null,
  switches,
  asked: asked[probe] ?? [],
})

/** What summaries group by: fields of the workload's scope, and others that its expectations name. */
const groupings = {
  biolatency: ['dev', 'op', 'rwbs', 'result'],
  execsnoop: ['ppid', 'filename', 'ret'],
  retrans: ['netns', 'raddr', 'lport', 'rport'],
  runqlat: ['pid', 'tid', 'cpu', 'uid', 'comm'],
  sockfilter: ['interface', 'direction', 'saddr', 'sport'],
  syscount: ['pid', 'uid', 'syscall', 'result'],
  tccount: ['interface', 'direction', 'protocol', 'saddr', 'dport'],
  tcpconnect: ['rport', 'lport', 'laddr', 'comm', 'result'],
  tcpstates: ['lport', 'rport', 'laddr', 'pid', 'old_state', 'new_state'],
  tcptop: ['pid', 'comm', 'family', 'laddr', 'lport', 'raddr', 'rport'],
  xdpcount: ['interface', 'ethertype', 'protocol', 'saddr', 'dport'],
}

/** What linear histograms are drawn of: bytes of a workload that knows them, some of them outside the range. */
const linear = { biolatency: { field: 'bytes', min: 4096, max: 16_384, step: 4096 } }

/** Probes that scripts/lab/inside/owners.py has traffic for. */
const ownerProbes = [
  'retrans',
  'tcpcong',
  'tcpdrop',
  'tcplife',
  'tcpreset',
  'tcprtt',
  'tcpstates',
  'tcptracer',
]
/** Variants that learn of connections in the same programs as another one. */
const sameOwners = [
  'tcplife-rawtracepoint',
  'tcplife-narrow',
  'tcplife-addresses',
  'tcpstates-addresses',
  'tcpcong-rawtracepoint',
  'tcpdrop-rawtracepoint',
  'tcpdrop-narrow',
  'tcprtt-rawtracepoint',
]

/** A cell that counts in the kernel: bcc is asked for by its variant, and with bpftrace the plan chooses. */
const summaryCell = (definition, backend, grouping) => ({
  ...cell(`${definition.name}-${backend}-summary`, definition, ownOfBcc(definition, backend)),
  events: false,
  backend,
  ...grouping,
})

/** PROBE-BACKEND-linear: as a summary, with a histogram in the place of its figures. */
function linearCells(definition, place) {
  const asked = linear[definition.name]
  return asked === undefined
    ? []
    : summaryCells(definition, place).map((each) => ({
        ...each,
        name: each.name.replace(/summary$/, 'linear'),
        linear: asked,
      }))
}

function ownOfBcc({ variants }, backend) {
  return backend === 'bcc' && variants.some(({ name }) => name === 'bcc') ? 'bcc' : null
}

function summaryCells(definition, place) {
  const { name, variants } = definition
  const backends = ['bpftrace', 'bcc']
  const by = groupings[name]
  return backends
    .filter(
      (backend) =>
        by !== undefined &&
        variants.some((each) => each.backend === backend && (place === 'boot' || isNative(each))),
    )
    .map((backend) => summaryCell(definition, backend, { by }))
}

/** What a variant needs, with the probe's switches that are on. */
function needsOf({ needs, switches = {} }, on) {
  return [...needs, ...on.flatMap((name) => switches[name] ?? [])]
}

/** The switches that a variant is tried with: none, then each that it can do. */
function switchesOf({ switches: own = {} }, { switches = {} }) {
  return [
    [],
    ...Object.keys(switches).flatMap((name) => (typeof own[name] === 'string' ? [] : [[name]])),
  ]
}

/** Whether a variant has no kprobe, fentry, raw tracepoint, kernel variable or kernel headers among its needs. */
function isNative(variant, on = []) {
  return needsOf(variant, on).every(
    (need) => !('function' in need) && !('headers' in need) && !('symbol' in need) && !need.raw,
  )
}

/** Each variant, and with each switch that it can do. */
function variantCells(definition, place) {
  return definition.variants.flatMap((variant) =>
    switchesOf(variant, definition)
      .filter((on) => place === 'boot' || isNative(variant, on))
      .map((on) =>
        cell([definition.name, variant.name, ...on].join('-'), definition, variant.name, on),
      ),
  )
}

/** Whose connections they are, in each variant of the probes that there is traffic for. */
function ownerCells(definition, place) {
  if (!ownerProbes.includes(definition.name)) return []
  return definition.variants
    .filter((variant) => place === 'boot' || isNative(variant))
    .filter(({ name }) => !sameOwners.includes(`${definition.name}-${name}`))
    .map(({ name }) => ({
      ...cell(`${definition.name}-owners-${name}`, definition, name),
      owners: true,
    }))
}

/** Both back-ends at once on the same traffic (PROBE-both), and what they count in the kernel (PROBE-both-summary). */
function bothCells(definition, place) {
  const { name, variants } = definition
  const can = ['bpftrace', 'bcc'].every((backend) =>
    variants.some((each) => each.backend === backend && (place === 'boot' || isNative(each))),
  )
  if (!can) return []
  const both = {
    ...cell(`${name}-both`, definition, null),
    both: true,
    key: keys[name],
    exceptions,
    untold: untold(definition),
  }
  const by = groupings[name]
  return by === undefined
    ? [both]
    : [both, { ...both, name: `${name}-both-summary`, events: false, by }]
}

/** Probes that are tried with sockets whose addresses are used again. */
const reuseProbes = ['tcplife', 'tcptracer']

function reuseCells(definition, place) {
  return ownerCells(definition, place)
    .filter(({ probe }) => reuseProbes.includes(probe))
    .map((owners) => ({
      ...owners,
      name: owners.name.replace('-owners-', '-reuse-'),
      owners: false,
      workload: { script: 'reuse.py' },
    }))
}

/**
 * Cells of one place. `native` has what needs neither kprobes nor fentry; `boot` has all variants (PROBE-bcc is the one that
 * bcc runs, PROBE-VARIANT-SWITCH the one with a switch on), compares with bcc's own tool (PROBE-beside), counts in the kernel
 * (PROBE-bpftrace-summary, PROBE-bcc-summary, and -linear of both), compares the back-ends with each other (PROBE-both,
 * PROBE-both-summary), and asks whose connections they are (PROBE-owners-VARIANT; PROBE-reuse-VARIANT where the addresses of
 * sockets are used again).
 * Both have probes made on the spot (trace-WHAT).
 */
export function cellsOf(definitions, place, only) {
  const wanted = (cell) => only.length === 0 || only.some((each) => cell.name.startsWith(each))
  const cells = definitions.flatMap((definition) => [
    ...summaryCells(definition, place),
    ...linearCells(definition, place),
    ...variantCells(definition, place),
    ...ownerCells(definition, place),
    ...bothCells(definition, place),
    ...reuseCells(definition, place),
    ...(place === 'boot' && toolNames.includes(definition.name)
      ? [{ ...cell(`${definition.name}-beside`, definition, null), bcc: true }]
      : []),
  ])
  return [...cells, ...traceCells(place)].filter(wanted)
}

/** Whether a cell shows what it should; a tool of bcc's beside it must have seen the same. */
export function isGood(row) {
  return (
    row.error === undefined &&
    row.wrong === 0 &&
    row.lost === 0 &&
    row.faults === 0 &&
    row.account === 'exact' &&
    (!row.bcc || row.bcc.ok === true)
  )
}

/** A variant that cannot work somewhere, and why: a named result, checked by the words of the plan's own error. */
export const impossible = [
  ...['fentry', 'fexit'].map((what) => ({
    guest: 'debian11',
    name: `trace-${what}`,
    says: 'bpftrace 0.11 has no fentry',
  })),
  ...['debian11', 'debian12'].map((guest) => ({
    guest,
    name: 'trace-rawtracepoint',
    says: 'this bpftrace has no raw tracepoints',
  })),
  ...[
    'exitsnoop-fentry',
    'tcpaccept-fexit',
    'tcpcong-fentry',
    'tcpconnect-fexit',
    'tcpreset-fentry',
    'tcprtt-fentry',
    'tcpsynbl-fentry',
    'tcptop-fexit',
  ].map((name) => ({ guest: 'debian11', name, says: 'bpftrace 0.11 has no fentry' })),
  {
    guest: 'debian11',
    name: 'tcplife-tracepoint',
    says: 'a record of bpftrace 0.11 has no room for all fields: tcplife-narrow',
  },
  ...['debian13', 'sid'].map((guest) => ({
    guest,
    name: 'tcpsynbl-fentry',
    says: 'has 7 arguments, and bpftrace hooks none with more than 6',
  })),
  {
    guest: 'sid',
    name: 'syscount-rawtracepoint',
    says: 'from 7.0 on such a program can be preempted, and misses the calls of others meanwhile',
  },
  {
    guest: 'debian13',
    name: 'exitsnoop-rawtracepoint',
    says: 'the tracepoint tells the last thread from 6.17 on',
  },
  {
    guest: 'debian11',
    name: 'tcpstates-tracepoint',
    says: 'a record of bpftrace 0.11 has no room for the inode',
  },
  {
    guest: 'debian11',
    name: 'oomkill-tracepoint',
    says: 'the tracepoint has the process id alone on 5.10',
  },
  ...['debian13', 'sid'].flatMap((guest) =>
    ['dns-uprobe', 'dns-both'].map((name) => ({
      guest,
      name,
      says: 'bpftrace 0.22 and newer mix the values of uprobe programs that preempt each other',
    })),
  ),
  ...['debian11', 'debian12'].map((guest) => ({
    guest,
    name: 'tcptop-tracepoint',
    says: 'the tracepoints came with 6.3',
  })),
  ...['debian11', 'debian12'].map((guest) => ({
    guest,
    name: 'tccount-tcx',
    says: 'BPF links at tc came with 6.6',
  })),
  ...['debian11', 'debian12'].map((guest) => ({
    guest,
    name: 'tcprtt-tracepoint',
    says: 'the tracepoint names its socket from 6.11 on',
  })),
  ...['tcpcong-tracepoint', 'tcpcong-bcc'].map((name) => ({
    guest: 'debian11',
    name,
    says: 'the tracepoint came with 5.19',
  })),
  ...['tcptop-bpftrace-summary', 'tcptop-both', 'tcptop-both-summary'].map((name) => ({
    guest: 'debian11',
    name,
    says: 'bpftrace 0.11 has no fentry, and 5.10 not the tracepoints',
  })),
  ...['tcptracer-fexit', 'tcptracer-fexit-data'].map((name) => ({
    guest: 'debian11',
    name,
    says: 'bpftrace 0.11 has no fentry',
  })),
  ...['debian11', 'debian12'].flatMap((guest) =>
    ['tcptracer-kprobe-data', 'tcptracer-tracepoint-data'].map((name) => ({
      guest,
      name,
      says: 'the tracepoints came with 6.3',
    })),
  ),
  ...['tcptracer-kprobe', 'tcptracer-tracepoint'].map((name) => ({
    guest: 'debian11',
    name,
    says: 'a record of bpftrace 0.11 has no room for the cookie: tcptracer-narrowkprobe, tcptracer-narrowtracepoint',
  })),
  ...['tcpdrop-tracepoint', 'tcpdrop-tracepoint-stack'].map((name) => ({
    guest: 'debian11',
    name,
    says: 'kernels before 5.17 tell no reason, and bpftrace 0.11 limits a format to 64 bytes',
  })),
  {
    guest: 'debian11',
    name: 'tcpdrop-noreason-stack',
    says: 'a record of bpftrace 0.11 has no room for the inode and the stack: tcpdrop-narrow-stack',
  },
  ...['debian11', 'debian12'].map((guest) => ({
    guest,
    name: 'tcpdrop-rawtracepoint-stack',
    says: 'this bpftrace has no raw tracepoints',
  })),
  ...['debian11', 'debian12'].map((guest) => ({
    guest,
    name: 'runqlat-rawtracepoint-pidnss',
    says: 'this bpftrace has no raw tracepoints',
  })),
  ...['oomkill-kprobe-load', 'oomkill-tracepoint-load'].map((name) => ({
    guest: 'debian11',
    name,
    says: 'a record of bpftrace 0.11 has no room for the load averages',
  })),
  {
    guest: 'debian11',
    name: 'opensnoop-tracepoint-full-path',
    says: 'a record of bpftrace 0.11 has no room for the path',
  },
  ...['debian11', 'debian12'].flatMap((guest) =>
    [
      'exitsnoop',
      'retrans',
      'tcpcong',
      'tcpconnect',
      'tcpconnlat',
      'tcpdrop',
      'tcplife',
      'tcpreset',
      'tcprtt',
      'runqlat',
      'syscount',
      'tcpstates',
      'tcptop',
    ].map((probe) => ({
      guest,
      name: `${probe}-rawtracepoint`,
      says: 'this bpftrace has no raw tracepoints',
    })),
  ),
]

/** Why a cell that is not good says nothing against the project; null: it does. */
export function impossibleReason(guest, row) {
  const name = row.name.replace(/-(?:owners|killed|reuse)-/, '-')
  const known = impossible.find((each) => each.guest === guest && each.name === name)
  return known !== undefined && row.error?.includes('NO_VARIANT') ? known.says : null
}
