// What the lab runs: every probe in every variant, and each probe once more beside bcc's tool.
import { readdirSync } from 'node:fs'

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

/** Whether a variant has no kprobe, fentry or raw tracepoint among its needs. */
function needsTracepointsOnly({ needs }) {
  return needs.every((need) => !('function' in need) && !need.raw)
}

/** Cells of one place. `native` has tracepoints only; `boot` has all, and compares with bcc. */
export function cellsOf(definitions, place, only) {
  const wanted = (cell) => only.length === 0 || only.some((each) => cell.name.startsWith(each))
  const cells = definitions.flatMap(({ name: probe, variants }) => [
    ...variants
      .filter((variant) => place === 'boot' || needsTracepointsOnly(variant))
      .map(({ name: variant }) => ({ name: `${probe}-${variant}`, probe, variant, bcc: false })),
    ...(place === 'boot' ? [{ name: `${probe}-bcc`, probe, variant: null, bcc: true }] : []),
  ])
  return cells.filter(wanted)
}

/** Whether a cell shows what it should. What bcc saw beside it is reported, not judged: its text breaks on hostile names. */
export function isGood(row) {
  return (
    row.error === undefined &&
    row.wrong === 0 &&
    row.lost === 0 &&
    row.faults === 0 &&
    row.account === 'exact'
  )
}

/** A variant that cannot work somewhere, and why: a named result, checked by the words of the plan's own error. */
export const impossible = [
  ...['tcpaccept', 'tcpconnect'].map((probe) => ({
    guest: 'debian11',
    name: `${probe}-fexit`,
    says: 'bpftrace 0.11 has no fentry',
  })),
  {
    guest: 'debian11',
    name: 'tcplife-tracepoint',
    says: 'a record of bpftrace 0.11 has no room for all fields; tcplife-short has those that fit',
  },
  ...['debian11', 'debian12'].flatMap((guest) =>
    ['tcpconnect', 'tcpconnlat', 'tcplife', 'tcpstates', 'retrans'].map((probe) => ({
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
