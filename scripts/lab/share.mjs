// Which cells a run of CI boots: those that no result of docs/kernels.md proves as they are now, then those of probes that changed
// lately, then others in an order that each commit draws anew.
import { createHash } from 'node:crypto'
import { $ } from 'zx'
import { impossibleReason, isGood } from './cells.mjs'
import { proofOf } from './proof.mjs'
import { readResults } from './results.mjs'

/** What the cells of one guest may cost together, so that CI stays under 45 minutes; a cell costs 1, one that compiles with bcc as much as three, and one with both back-ends 4. */
const budget = 11
const lately = 25

const root = new URL('../../', import.meta.url).pathname
const git = $({ cwd: root, quiet: true })

/** Probes whose folders the last commits touched, and the commit that the order is drawn from. */
export async function readHistory() {
  const { stdout: commit } = await git`git rev-parse HEAD`
  const { stdout: files } = await git`git log -n ${lately} --name-only --pretty=format: -- probes`
  const changed = new Set(
    files.split('\n').flatMap((file) => /^probes\/([a-z0-9]+)\//.exec(file)?.[1] ?? []),
  )
  return { commit: commit.trim(), changed, claims: readResults() }
}

const cost = (cell) =>
  cell.both ? 4 : cell.bcc || cell.variant?.startsWith('bcc') || cell.backend === 'bcc' ? 3 : 1

const claimedRows = (guest, place, claims) =>
  claims.find((each) => each.guest === guest && each.place === place)?.rows ?? []

/** Names of the cells that a result proves as they are now. `claims` has the results of earlier runs. */
function provenOf(guest, place, claims) {
  const works = (row) =>
    (isGood(row) && row.proof === proofOf(row)) || impossibleReason(guest, row) !== null
  return new Set(
    claimedRows(guest, place, claims)
      .filter(works)
      .map(({ name }) => name),
  )
}

/** The cells of one guest that no result proves as they are now; first those that have none at all. */
export function unprovenOf(cells, guest, place, claims) {
  const proven = provenOf(guest, place, claims)
  const known = new Set(claimedRows(guest, place, claims).map(({ name }) => name))
  return cells
    .filter(({ name }) => !proven.has(name))
    .toSorted((a, b) => Number(known.has(a.name)) - Number(known.has(b.name)))
}

/** The share of one guest, as many as the budget holds. `claims` has the results of earlier runs. */
export function shareOf(cells, guest, { commit, changed, claims }) {
  const proven = provenOf(guest, 'boot', claims)
  const urgency = ({ name, probe }) => (proven.has(name) ? (changed.has(probe) ? 1 : 0) : 2)
  const place = (cell) =>
    createHash('sha256').update(`${commit} ${guest} ${cell.name}`).digest('hex')
  const order = [...cells].sort(
    (a, b) => urgency(b) - urgency(a) || place(a).localeCompare(place(b)),
  )
  let left = budget
  const taken = new Set(order.filter((cell) => (left -= cost(cell)) >= 0))
  return cells.filter((cell) => taken.has(cell))
}
