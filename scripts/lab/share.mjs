// Which cells a run of CI boots: groups with cells that no result of docs/kernels.md proves as they are now, then those of probes that
// changed lately, then others in an order that each commit draws anew.
import { createHash } from 'node:crypto'
import { $ } from 'zx'
import { impossibleReason, isGood } from './cells.mjs'
import { groupsOf } from './groups.mjs'
import { readResults } from './results.mjs'

/** What the cells of one guest may cost together at most, in starts of bpftrace (half a minute on an idle machine, more on others). */
const budget = 16
/** When the last group may begin, after the start of the lab, so that CI stays under 45 minutes on whatever machine it has. */
const shareMinutes = 21
const lately = 25

const root = new URL('../../', import.meta.url).pathname
const git = $({ cwd: root, quiet: true })

/** Probes whose folders the last commits touched, and the commit that the order is drawn from. `prove`: of proof.mjs. */
export async function readHistory(prove) {
  const { stdout: commit } = await git`git rev-parse HEAD`
  const { stdout: files } = await git`git log -n ${lately} --name-only --pretty=format: -- probes`
  const changed = new Set(
    files.split('\n').flatMap((file) => /^probes\/([a-z0-9]+)\//.exec(file)?.[1] ?? []),
  )
  return { commit: commit.trim(), changed, claims: readResults(), prove }
}

const isOfBcc = ({ variant, backend, both }) =>
  both || backend === 'bcc' || Boolean(variant?.startsWith('bcc'))

/** A start of bpftrace for each variant, three for what bcc compiles, and a third for each look at a workload. */
function cost(group) {
  const own = new Set(group.filter((cell) => !isOfBcc(cell)).map(({ variant }) => variant))
  const ofBcc = group.some(isOfBcc) ? 3 : 0
  const tool = group.some(({ bcc }) => bcc) ? 3 : 0
  return own.size + ofBcc + tool + group.length / 3
}

const claimedRows = (guest, place, claims) =>
  claims.find((each) => each.guest === guest && each.place === place)?.rows ?? []

/** Names of the cells that a result proves as they are now. `claims` has the results of earlier runs. */
function provenOf(guest, place, { claims, prove }) {
  const works = (row) =>
    (isGood(row) && row.proof === prove(row)) || impossibleReason(guest, row) !== null
  return new Set(
    claimedRows(guest, place, claims)
      .filter(works)
      .map(({ name }) => name),
  )
}

/** The cells of one guest that no result proves as they are now; first those that have none at all. */
export function unprovenOf(cells, guest, place, known) {
  const proven = provenOf(guest, place, known)
  const named = new Set(claimedRows(guest, place, known.claims).map(({ name }) => name))
  return cells
    .filter(({ name }) => !proven.has(name))
    .toSorted((a, b) => Number(named.has(a.name)) - Number(named.has(b.name)))
}

/** The share of one guest, the most urgent first: of groups as many as the budget holds, each without what others prove already. */
export function shareOf(cells, guest, history) {
  const { commit, changed } = history
  const proven = provenOf(guest, 'boot', history)
  // What nothing proves keeps its order, so that a run before a commit is of the same as the one after it.
  const place = ({ group, urgency }) =>
    createHash('sha256')
      .update(`${urgency === 2 ? '' : commit} ${guest} ${group[0].name}`)
      .digest('hex')
  const groups = groupsOf(cells).map((group) => {
    const left = group.filter(({ name }) => !proven.has(name))
    const isChanged = changed.has(group[0].probe)
    return left.length > 0 ? { group: left, urgency: 2 } : { group, urgency: isChanged ? 1 : 0 }
  })
  const order = groups.toSorted((a, b) => b.urgency - a.urgency || place(a).localeCompare(place(b)))
  let left = budget
  return order.flatMap(({ group }) => {
    if (cost(group) > left) return []
    left -= cost(group)
    return group
  })
}

/**
 * Makes the function that says, as each of so many boots begins, for how many seconds it may begin groups: its part of what is left
 * where two run at once. `started`: when the lab was, in milliseconds.
 */
export function shareClock(boots, started, now = Date.now) {
  const end = started + shareMinutes * 60_000
  let left = boots
  return () => {
    const seconds = (end - now()) / 1000 / Math.ceil(left / 2)
    left -= 1
    return Math.max(0, Math.round(seconds))
  }
}
