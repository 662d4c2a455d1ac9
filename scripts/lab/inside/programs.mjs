// What the kernel says of the BPF programs that processes hold: how often they ran, and for how long.
import { readdirSync, readFileSync } from 'node:fs'

/** Programs of timers: heartbeats, which run whatever happens. */
const perfEvent = 7

const numbers = (name) => /^\d+$/.test(name)

/** The process and all that descend from it. */
function familyOf(pid) {
  const parents = new Map(
    readdirSync('/proc')
      .filter(numbers)
      .map((each) => [Number(each), parentOf(each)]),
  )
  const isBelow = (each) => each === pid || (parents.get(each) > 0 && isBelow(parents.get(each)))
  return [...parents.keys()].filter(isBelow)
}

function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}

function fdinfoOf(pid) {
  try {
    const folder = `/proc/${pid}/fdinfo`
    return readdirSync(folder).map((fd) => readFileSync(`${folder}/${fd}`, 'latin1'))
  } catch {
    return []
  }
}

/** The programs that a process and its descendants hold, by their ids. */
export function programsBelow(pid) {
  const found = new Map()
  for (const text of familyOf(pid).flatMap(fdinfoOf)) {
    const figure = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(text)?.[1])
    const [id, ns, runs] = ['prog_id', 'run_time_ns', 'run_cnt'].map(figure)
    if (!Number.isNaN(ns) && figure('prog_type') !== perfEvent) found.set(id, { ns, runs })
  }
  return found
}

/** Nanoseconds and runs between two looks; null without any program. */
export function spent(before, after) {
  if (after.size === 0) return null
  const sum = (programs, figure) =>
    [...programs.values()].reduce((all, each) => all + each[figure], 0)
  const of = (figure) => sum(after, figure) - sum(before, figure)
  return { ns: of('ns'), runs: of('runs'), programs: after.size }
}
