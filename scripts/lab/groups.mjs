// Cells that are run together: on the same traffic, with each program started once and each workload run once for all that expect
// the same of it. A cell takes a minute in an emulator, and most of it is the start of programs.

/** Variants that the workload expects something else of than of the probe's others. Those of one list are alike. */
const apart = {
  retrans: [['kprobe']],
  tcpconnect: [['tracepoint', 'rawtracepoint']],
  tcpdrop: [['noreason', 'narrow']],
  tcplife: [['narrow'], ['addresses']],
  tcpreset: [['kprobe'], ['fentry', 'bcc']],
  tcpstates: [['addresses']],
  tcptracer: [['narrowkprobe', 'narrowtracepoint']],
}
/** The same for the traffic of scripts/lab/inside/owners.py. */
const ownersApart = [['narrow']]

const isAlone = (cell) =>
  cell.answers !== undefined || cell.command !== undefined || cell.onInterfaces

/** What is counted in the kernel has no time that told one workload from the next: it has a group of its own, and one workload. */
function groupName(cell) {
  if (isAlone(cell)) return cell.name
  const { probe, by, switches, workload } = cell
  // So many connections at once, all of one CPU, are more than most others should have to see.
  if (workload?.script === 'reuse.py') return `${probe} reuse`
  return [probe, ...(by === null ? switches : ['summary'])].join(' ')
}

const withApart = (cell) => ({
  ...cell,
  apart: cell.owners ? ownersApart : cell.by || cell.workload ? [] : (apart[cell.probe] ?? []),
})

/** The cells in their groups, in the order of their first cells. */
export function groupsOf(cells) {
  const groups = new Map()
  for (const cell of cells) {
    const name = groupName(cell)
    groups.set(name, [...(groups.get(name) ?? []), cell])
  }
  return [...groups.values()].map((group) => group.map(withApart))
}
