// Runs groups of cells where it stands: on a host, or inside a guest. Plain Node, because nothing but the packed ebpf-run is there.
// Usage: node cells.mjs REQUEST.json, which holds {cli, out, probes, groups, seconds}: after so many no group is begun but the first;
// null: all are.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runAnswers } from './answers.mjs'
import { limit } from './start.mjs'
import { startTogether } from './together.mjs'

/** A row for each cell of a group. Cells that no workload belongs to are groups of their own. */
function startGroup(cells) {
  if (!cells[0].answers) return startTogether(request, cells)
  return {
    rows: runAnswers(request, cells[0]).then((row) => [row]),
    took: [],
    giveUp() {},
  }
}

/** One that waits for something that never comes does not hold up the others. A group has a handful of workloads at most. */
const groupTimeoutMs = 4 * limit * 1000

async function rowsOf(cells) {
  const started = Date.now()
  const failed = (error) => cells.map((cell) => ({ ...cell, error }))
  let timer
  try {
    const { rows, took, giveUp } = startGroup(cells)
    const tooLong = new Promise((resolve) => {
      timer = setTimeout(() => {
        giveUp()
        resolve(failed(`not ended after ${groupTimeoutMs / 1000} s`))
      }, groupTimeoutMs)
    })
    const found = await Promise.race([rows, tooLong])
    const seconds = Math.round((Date.now() - started) / 1000)
    return { rows: found, text: [`together in ${seconds} s`, ...took].join(', ') }
  } catch (error) {
    return { rows: failed(error.message), text: 'failed' }
  } finally {
    clearTimeout(timer)
  }
}

const textOf = ({ error, expected, delivered, lost, wrong, faults, account, bcc }) =>
  error ??
  `expected ${expected}, delivered ${delivered}, lost ${lost}, wrong ${wrong}, faults ${faults}, ${account}${bcc ? `, bcc ${bcc.text}` : ''}`

const request = JSON.parse(readFileSync(process.argv[2], 'utf8'))
mkdirSync(request.out, { recursive: true })
// The firmware leaves no end of line before what comes first.
console.log('')
const begun = Date.now()
const isLate = () => request.seconds !== null && Date.now() - begun > request.seconds * 1000
for (const [nth, cells] of request.groups.entries()) {
  if (nth > 0 && isLate()) {
    const left = request.groups.slice(nth).flat()
    for (const cell of left)
      writeFileSync(
        join(request.out, `${cell.name}.cell.json`),
        JSON.stringify({ ...cell, isLeft: true }),
      )
    console.log(`cells: ${left.length} left: no group is begun after ${request.seconds} s`)
    break
  }
  const { rows, text } = await rowsOf(cells)
  for (const row of rows) {
    writeFileSync(join(request.out, `${row.name}.cell.json`), JSON.stringify(row))
    console.log(`cell ${row.name}: ${textOf(row)}`)
    for (const complaint of row.complaints ?? []) console.log(`  ${complaint}`)
    for (const key of row.bcc?.unseen ?? []) console.log(`  not seen by bcc: ${key}`)
  }
  console.log(`cells: ${rows.length} ${text}`)
}
// What a cell that was given up left behind would keep this process.
process.exit()
