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

const cell = (name, probe, variant, aggregate) => ({
  name,
  probe,
  variant,
  backend: null,
  bcc: false,
  events: aggregate !== undefined,
  /** Fields to group by where it counts in the kernel. */
  by: null,
})

/** What summaries group by: fields of the workload's scope, and others that its expectations name. */
const groupings = {
  execsnoop: ['ppid', 'filename', 'ret'],
  retrans: ['netns', 'lport', 'raddr', 'comm'],
  tcpconnect: ['rport', 'lport', 'laddr', 'comm', 'result'],
  tcpstates: ['lport', 'rport', 'laddr', 'pid', 'old_state', 'new_state'],
}

/** A cell that counts in the kernel: bcc is asked for by its variant, and with bpftrace the plan chooses. */
const summaryCell = (probe, backend, grouping) => ({
  ...cell(`${probe}-${backend}-summary`, probe, backend === 'bcc' ? 'bcc' : null),
  backend,
  ...grouping,
})

function summaryCells({ name, variants }, place) {
  const backends = place === 'boot' ? ['bpftrace', 'bcc'] : ['bpftrace']
  const by = groupings[name]
  return backends
    .filter(
      (backend) => by !== undefined && variants.some((variant) => variant.backend === backend),
    )
    .map((backend) => summaryCell(name, backend, { by }))
}

/** Whether a variant has no kprobe, fentry or raw tracepoint among its needs, and is not bcc's. */
function isNative({ backend, needs }) {
  return backend === 'bpftrace' && needs.every((need) => !('function' in need) && !need.raw)
}

/**
 * Cells of one place. `native` has what needs neither kprobes nor fentry; `boot` has all variants (PROBE-bcc is the one that
 * bcc runs), compares with bcc's own tool (PROBE-beside), and counts in the kernel (PROBE-bpftrace-summary, PROBE-bcc-summary).
 */
export function cellsOf(definitions, place, only) {
  const wanted = (cell) => only.length === 0 || only.some((each) => cell.name.startsWith(each))
  const cells = definitions.flatMap(({ name: probe, variants, aggregate }) => [
    ...summaryCells({ name: probe, variants }, place),
    ...variants
      .filter((variant) => place === 'boot' || isNative(variant))
      .map(({ name }) => cell(`${probe}-${name}`, probe, name, aggregate)),
    ...(place === 'boot' && toolNames.includes(probe)
      ? [{ ...cell(`${probe}-beside`, probe, null, aggregate), bcc: true }]
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
