// What the lab runs: every probe in every variant, each probe once more beside bcc's tool, and summaries with each back-end.
import { readdirSync } from 'node:fs'
import { toolNames } from './inside/bcc.mjs'

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

const cell = (name, { name: probe, aggregate, onInterfaces = false }, variant) => ({
  name,
  probe,
  variant,
  backend: null,
  bcc: false,
  events: aggregate !== undefined,
  /** The workload makes interfaces first, and says which. */
  onInterfaces,
  /** Fields to group by where it counts in the kernel. */
  by: null,
})

/** What summaries group by: fields of the workload's scope, and others that its expectations name. */
const groupings = {
  execsnoop: ['ppid', 'filename', 'ret'],
  retrans: ['netns', 'lport', 'raddr', 'comm'],
  sockfilter: ['interface', 'direction', 'saddr', 'sport'],
  tcpconnect: ['rport', 'lport', 'laddr', 'comm', 'result'],
  tcpstates: ['lport', 'rport', 'laddr', 'pid', 'old_state', 'new_state'],
  tccount: ['interface', 'direction', 'protocol', 'saddr', 'dport'],
  xdpcount: ['interface', 'ethertype', 'protocol', 'saddr', 'dport'],
}

/** A cell that counts in the kernel: bcc is asked for by its variant, and with bpftrace the plan chooses. */
const summaryCell = (definition, backend, grouping) => ({
  ...cell(`${definition.name}-${backend}-summary`, definition, ownOfBcc(definition, backend)),
  events: false,
  backend,
  ...grouping,
})

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

/** Whether a variant has no kprobe, fentry or raw tracepoint among its needs, and of bcc's none that needs headers. */
function isNative({ backend, needs }) {
  if (backend === 'bcc') return needs.some((need) => 'hook' in need)
  return needs.every((need) => !('function' in need) && !need.raw)
}

/**
 * Cells of one place. `native` has what needs neither kprobes nor fentry; `boot` has all variants (PROBE-bcc is the one that
 * bcc runs), compares with bcc's own tool (PROBE-beside), and counts in the kernel (PROBE-bpftrace-summary, PROBE-bcc-summary).
 */
export function cellsOf(definitions, place, only) {
  const wanted = (cell) => only.length === 0 || only.some((each) => cell.name.startsWith(each))
  const cells = definitions.flatMap((definition) => [
    ...summaryCells(definition, place),
    ...definition.variants
      .filter((variant) => place === 'boot' || isNative(variant))
      .map(({ name }) => cell(`${definition.name}-${name}`, definition, name)),
    ...(place === 'boot' && toolNames.includes(definition.name)
      ? [{ ...cell(`${definition.name}-beside`, definition, null), bcc: true }]
      : []),
  ])
  return cells.filter(wanted)
}

/** Whether a cell shows what it should; a tool of bcc's beside it must have seen the same. */
export function isGood(row) {
  return (
    row.error === undefined &&
    row.wrong === 0 &&
    row.lost === 0 &&
    row.faults === 0 &&
    row.account === 'exact' &&
    row.bcc?.ok !== false
  )
}

/** A variant that cannot work somewhere, and why: a named result, checked by the words of the plan's own error. */
export const impossible = [
  ...[
    'exitsnoop-fentry',
    'tcpaccept-fexit',
    'tcpconnect-fexit',
    'tcpreset-fentry',
    'tcptop-fexit',
  ].map((name) => ({ guest: 'debian11', name, says: 'bpftrace 0.11 has no fentry' })),
  {
    guest: 'debian13',
    name: 'exitsnoop-rawtracepoint',
    says: 'the tracepoint tells the last thread from 6.17 on',
  },
  {
    guest: 'debian11',
    name: 'oomkill-tracepoint',
    says: 'the tracepoint has the process id alone on 5.10',
  },
  ...['debian13', 'sid'].map((guest) => ({
    guest,
    name: 'dns-uprobe',
    says: 'bpftrace 0.22 and newer mix the values of uprobe programs that preempt each other',
  })),
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
  ...['debian11', 'debian12'].flatMap((guest) =>
    ['exitsnoop', 'retrans', 'tcpconnect', 'tcpreset', 'tcpstates', 'tcptop'].map((probe) => ({
      guest,
      name: `${probe}-rawtracepoint`,
      says: 'this bpftrace has no raw tracepoints',
    })),
  ),
]

export function impossibleReason(guest, row) {
  const known = impossible.find((each) => each.guest === guest && each.name === row.name)
  return known !== undefined && row.error?.includes('NO_VARIANT') ? known.says : null
}
