// What the lab runs: every probe in every variant, and each probe once more beside bcc's tool.
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

/** What a cell asks for beside its variant: without it, the workload's events would drown in those of the machine. */
const asked = {
  runqlat: ['--uid', '47110'],
  syscount: [
    '--syscall',
    'pause,getpgid,getsid,clock_nanosleep,execveat,rt_sigreturn,exit_group,5000,i386_getpgid,i386_getsid,70536',
  ],
}

const cell = (name, probe, variant, aggregate) => ({
  name,
  probe,
  variant,
  bcc: false,
  events: aggregate !== undefined,
  asked: asked[probe] ?? [],
})

/** Whether a variant has no kprobe, fentry or raw tracepoint among its needs, and is not bcc's. */
function isNative({ backend, needs }) {
  return backend === 'bpftrace' && needs.every((need) => !('function' in need) && !need.raw)
}

/**
 * Cells of one place. `native` has what needs neither kprobes nor fentry; `boot` has all variants (PROBE-bcc is the one that
 * bcc runs) and compares with bcc's own tool (PROBE-beside).
 */
export function cellsOf(definitions, place, only) {
  const wanted = (cell) => only.length === 0 || only.some((each) => cell.name.startsWith(each))
  const cells = definitions.flatMap(({ name: probe, variants, aggregate }) => [
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
    [
      'exitsnoop',
      'retrans',
      'runqlat',
      'syscount',
      'tcpconnect',
      'tcpreset',
      'tcpstates',
      'tcptop',
    ].map((probe) => ({
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
