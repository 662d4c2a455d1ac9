// Runs cells (one probe in one variant against its workload) where it stands: on a host, or inside a guest. Plain Node, because
// nothing but the packed ebpf-run is there. Usage: node cells.mjs REQUEST.json, which holds {cli, out, probes, cells}.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runAnswers } from './answers.mjs'
import { compareWithBcc } from './bcc.mjs'
import { runBoth } from './both.mjs'
import { judge, spread, wrongBuckets, wrongSums } from './judge.mjs'
import { limit, runWorkload, startRun, startWorkload } from './start.mjs'

function judgeSummary(lines, rows, summary, { by, linear = null }) {
  const verdict = judge(...spread(lines, rows, by), summary)
  const sums = linear === null ? wrongSums(lines, rows) : wrongBuckets(lines, rows, linear)
  return {
    ...verdict,
    wrong: verdict.wrong + sums.length,
    complaints: [...verdict.complaints, ...sums],
  }
}

/** What the kernel refuses must have been said. */
function withLeftOut(verdict, summary, { leftOut = [] }) {
  const said = summary?.left_out ?? []
  const unsaid = leftOut.filter((name) => !said.some((each) => each.startsWith(`${name}: `)))
  return {
    ...verdict,
    wrong: verdict.wrong + unsaid.length,
    complaints: [
      ...verdict.complaints,
      ...unsaid.map((name) => `not said to be left out: ${name}`),
    ],
  }
}

async function runCell(request, cell) {
  const started = Date.now()
  const special = cell.answers ? runAnswers : cell.both ? runBoth : null
  if (special !== null)
    return { ...(await special(request, cell)), seconds: (Date.now() - started) / 1000 }
  // What is to be older than the run, or is where it is attached, stands before it.
  const before = cell.owners || cell.onInterfaces ? startWorkload(request.probes, cell) : null
  const row = { ...cell, expected: 0, delivered: 0, lost: 0, wrong: 0, faults: 0, account: 'none' }
  let run
  try {
    run = await startRun(request, cell, await before?.place)
    if (!run.isAttached) throw new Error(run.errors().trim().split('\n').slice(0, 3).join(' | '))
    const bcc = cell.bcc
      ? await compareWithBcc(cell.probe, () => runWorkload(request.probes, cell))
      : null
    const lines =
      bcc?.lines ?? (await (before === null ? runWorkload(request.probes, cell) : before.run()))
    await new Promise((resolve) => setTimeout(resolve, 500))
    run.child.kill('SIGINT')
    const status = await run.ended
    if (status !== 0)
      throw new Error(`ebpf-run ended with ${status}: ${run.errors().trim().split('\n').at(-1)}`)
    const summary = existsSync(run.files.summary)
      ? JSON.parse(readFileSync(run.files.summary, 'utf8'))
      : null
    const verdict = withLeftOut(
      cell.by ? judgeSummary(lines, run.events, summary, cell) : judge(lines, run.events, summary),
      summary,
      cell,
    )
    writeFileSync(
      join(request.out, `${cell.name}.ndjson`),
      run.events.map((event) => `${JSON.stringify(event)}\n`).join(''),
    )
    return {
      ...row,
      ...verdict,
      ...(bcc === null ? {} : { bcc: bcc.judge(lines, verdict.events) }),
      events: undefined,
      variant: summary?.variant ?? cell.variant,
      seconds: (Date.now() - started) / 1000,
    }
  } catch (error) {
    before?.end()
    run?.child.kill('SIGINT')
    await Promise.race([run?.ended, new Promise((resolve) => setTimeout(resolve, 20_000))])
    run?.child.kill('SIGKILL')
    return { ...row, error: error.message, seconds: (Date.now() - started) / 1000 }
  }
}

/** One that waits for something that never comes does not hold up the others. */
const cellTimeoutMs = (limit + 60) * 1000

async function withinTime(cell, row) {
  let timer
  const tooLong = new Promise((resolve) => {
    timer = setTimeout(
      () => resolve({ ...cell, error: `not ended after ${cellTimeoutMs / 1000} s` }),
      cellTimeoutMs,
    )
  })
  const first = await Promise.race([row, tooLong])
  clearTimeout(timer)
  return { ...first, seconds: first.seconds ?? cellTimeoutMs / 1000 }
}

const request = JSON.parse(readFileSync(process.argv[2], 'utf8'))
mkdirSync(request.out, { recursive: true })
for (const cell of request.cells) {
  const failed = (error) => ({ ...cell, error: error.message })
  const row = await withinTime(cell, runCell(request, cell).catch(failed))
  writeFileSync(join(request.out, `${cell.name}.cell.json`), JSON.stringify(row))
  console.log(
    `cell ${row.name}: ${row.error ?? `expected ${row.expected}, delivered ${row.delivered}, lost ${row.lost}, wrong ${row.wrong}, faults ${row.faults}, ${row.account}${row.bcc ? `, bcc ${row.bcc.text}` : ''}`} (${row.seconds.toFixed(0)} s)`,
  )
  for (const complaint of row.complaints ?? []) console.log(`  ${complaint}`)
  for (const key of row.bcc?.unseen ?? []) console.log(`  not seen by bcc: ${key}`)
}
// What a cell that was given up left behind would keep this process.
process.exit()
