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

const cell = (name, probe, variant, aggregate, switches = []) => ({
  name,
  probe,
  variant,
  bcc: false,
  events: aggregate !== undefined,
  switches,
})

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

/** Whether a variant has no kprobe, fentry or raw tracepoint among its needs, and is not bcc's. */
function isNative(variant, on) {
  return (
    variant.backend === 'bpftrace' &&
    needsOf(variant, on).every((need) => !('function' in need) && !need.raw)
  )
}

/**
 * Cells of one place. `native` has what needs neither kprobes nor fentry; `boot` has all variants (PROBE-bcc is the one that
 * bcc runs, PROBE-VARIANT-SWITCH the one with a switch on) and compares with bcc's own tool (PROBE-beside).
 */
export function cellsOf(definitions, place, only) {
  const wanted = (cell) => only.length === 0 || only.some((each) => cell.name.startsWith(each))
  const cells = definitions.flatMap(({ name: probe, variants, aggregate, ...definition }) => [
    ...variants.flatMap((variant) =>
      switchesOf(variant, definition)
        .filter((on) => place === 'boot' || isNative(variant, on))
        .map((on) => {
          const name = [probe, variant.name, ...on].join('-')
          return cell(name, probe, variant.name, aggregate, on)
        }),
    ),
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
  ...['tcpdrop-tracepoint', 'tcpdrop-tracepoint-stack'].map((name) => ({
    guest: 'debian11',
    name,
    says: 'kernels before 5.17 tell no reason, and bpftrace 0.11 limits a format to 64 bytes',
  })),
  ...['debian11', 'debian12'].map((guest) => ({
    guest,
    name: 'tcpdrop-rawtracepoint-stack',
    says: 'this bpftrace has no raw tracepoints',
  })),
  ...['debian11', 'debian12'].flatMap((guest) =>
    ['exitsnoop', 'retrans', 'tcpconnect', 'tcpdrop', 'tcpreset', 'tcpstates', 'tcptop'].map(
      (probe) => ({
        guest,
        name: `${probe}-rawtracepoint`,
        says: 'this bpftrace has no raw tracepoints',
      }),
    ),
  ),
]

export function impossibleReason(guest, row) {
  const known = impossible.find((each) => each.guest === guest && each.name === row.name)
  return known !== undefined && row.error?.includes('NO_VARIANT') ? known.says : null
}
