// The kernel lab: the packed ebpf-run against real traffic, natively with each guest's bpftrace and in each guest's own kernel.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { $ } from 'zx'
import { bootGuest } from './boot.mjs'
import { cellsOf, impossibleReason, isGood, loadDefinitions } from './cells.mjs'
import { groupsOf } from './groups.mjs'
import { findGuest, guests } from './guests.mjs'
import { ensureImages, unavailableText } from './image.mjs'
import { runNative } from './native.mjs'
import { loadProver } from './proof.mjs'
import { readResults, writeResults } from './results.mjs'
import { readHistory, shareClock, shareOf, unprovenOf } from './share.mjs'

const root = new URL('../../', import.meta.url).pathname
const bootTimeoutMs = 60 * 60_000
const nativeTimeoutMs = 15 * 60_000

/** Packs the project and installs the tarball with its dependencies, as a user would. */
async function installPacked(folder) {
  const shell = $({ cwd: root, quiet: true })
  const [{ filename }] = JSON.parse(
    (await shell`npm pack --json --pack-destination ${folder}`).stdout,
  )
  const app = join(folder, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{"private":true}\n')
  cpSync(join(root, '.npmrc'), join(app, '.npmrc'))
  await $({
    cwd: app,
    quiet: true,
  })`npm install --no-audit --no-fund --omit=dev ${join(folder, filename)}`
}

/**
 * The folder a place works in: what to do, and room for the results. The guest unpacks one file: 9p is slow with many.
 * `seconds`: for how long groups are begun; null: all are.
 */
export async function prepare(
  place,
  folder,
  work,
  cells,
  groups = groupsOf(cells),
  seconds = null,
) {
  mkdirSync(join(folder, 'results'), { recursive: true })
  const at = place === 'boot' ? '/tmp/lab' : work
  const out = place === 'boot' ? '/work9/results' : join(folder, 'results')
  const request = {
    cli: `${at}/app/node_modules/ebpf-run/dist/src/cli.js`,
    out,
    probes: `${at}/probes`,
    cells,
    groups,
    seconds,
  }
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request))
  if (place === 'boot')
    await $({ cwd: work, quiet: true })`tar -cf ${join(folder, 'lab.tar')} app inside probes`
}

/** Rows of a place: what each cell wrote, or that it never came to it. */
export function collect(folder, cells, reason) {
  return cells.map((cell) => {
    const file = join(folder, 'results', `${cell.name}.cell.json`)
    return existsSync(file)
      ? JSON.parse(readFileSync(file, 'utf8'))
      : { ...cell, error: `not run: ${reason}` }
  })
}

async function runNatively(guest, work, folder, cells, onLine) {
  const { status, stdout, stderr } = await runNative(
    guest,
    ['node', `${work}/inside/cells.mjs`, `${folder}/request.json`],
    {
      binds: [{ from: work, readOnly: false }],
      // Natively a cell takes seconds.
      env: { EBPF_RUN_CELL_SECONDS: '90' },
      timeoutMs: nativeTimeoutMs,
    },
  )
  for (const line of stdout.trim().split('\n')) onLine(line)
  return collect(folder, cells, `status ${status}: ${stderr.trim().split('\n').at(-1)}`)
}

async function runBooted(guest, _work, folder, cells, onLine) {
  const script =
    'mkdir /tmp/lab && tar -xf /work9/lab.tar -C /tmp/lab && EBPF_RUN_ALONE=1 node /tmp/lab/inside/cells.mjs /work9/request.json\n'
  const { status, seconds } = await bootGuest(guest, {
    workDir: folder,
    script,
    timeoutMs: bootTimeoutMs,
    onLine: (line) => /^(cells?[: ]|  |the guest)/.test(line) && onLine(line),
  })
  return collect(folder, cells, `the guest ended with ${status} after ${Math.round(seconds)} s`)
}

/** At most two at a time: the machine has two cores. */
export async function twoByTwo(tasks) {
  const results = []
  let next = 0
  const worker = async () => {
    while (next < tasks.length) {
      const at = next++
      results[at] = await tasks[at]()
    }
  }
  await Promise.all([worker(), worker()])
  return results
}

/** A throw-away folder with what every place needs: the packed project, the workloads, and what runs them. */
export async function withPacked(task) {
  const work = mkdtempSync(join(tmpdir(), 'ebpf-run-lab-'))
  // Also when a signal ends the run; the guests die with this process by themselves.
  process.once('exit', () => rmSync(work, { recursive: true, force: true }))
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ])
    process.once(signal, () => process.exit(128 + number))
  try {
    await installPacked(work)
    for (const name of ['inside', 'probes'])
      cpSync(join(root, name === 'inside' ? 'scripts/lab/inside' : name), join(work, name), {
        recursive: true,
      })
    return await task(work)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** The same in another order: two guests that run natively at once are not at the same cell, whose ports they would share. */
function turned(cells, share) {
  const at = Math.round(cells.length * share)
  return [...cells.slice(at), ...cells.slice(0, at)]
}

/** How many cells a boot has at least whose results are written: what has been run is kept when the run is ended. */
const cellsOfBoot = 6

/** The cells, in the parts that are run and written one after the other. A group stays together. */
function inParts(cells, size) {
  const parts = [[]]
  for (const group of groupsOf(cells)) {
    if (parts.at(-1).length >= size) parts.push([])
    parts.at(-1).push(...group)
  }
  return parts
}

/** What of a guest's cells is run in a place, as the words say. */
function choose(cells, place, { guest }, share, { history, unproven }) {
  const wanted = unproven === null ? cells : unprovenOf(cells, guest, place, unproven)
  if (place === 'native') return turned(wanted, share)
  return history === null ? wanted : shareOf(cells, guest, history)
}

/** Runs the lab. `only`: names of guests, probes or cells. Returns the exit status. */
export async function runLab(words) {
  const started = Date.now()
  const [keep, write] = ['--keep-recordings', '--write'].map((word) => words.includes(word))
  const places = words.includes('--native')
    ? ['native']
    : words.includes('--boot')
      ? ['boot']
      : ['native', 'boot']
  const names = words.filter((word) => !word.startsWith('--'))
  const chosen = guests.filter(({ name }) => names.includes(name))
  const wantedGuests = chosen.length > 0 ? chosen : guests
  const only = names.filter((name) => !guests.some((guest) => guest.name === name))
  const images = await ensureImages(wantedGuests, (line) => console.error(line))
  return withPacked(async (work) => {
    const definitions = await loadDefinitions()
    const prove = await loadProver(definitions)
    const allCells = (place) => cellsOf(definitions, place, [])
    const asked = {
      history: words.includes('--share') ? await readHistory(prove) : null,
      unproven: words.includes('--unproven') ? { claims: readResults(), prove } : null,
    }
    const parts = places.flatMap((place) =>
      images.flatMap((image, at) => {
        const { guest, ok, reason } = image
        if (!ok) return [{ nth: 0, result: { guest, place, unavailable: reason, rows: [] } }]
        const all = cellsOf(definitions, place, only)
        const cells = choose(all, place, image, at / images.length, asked)
        const size = write && place === 'boot' ? cellsOfBoot : cells.length
        return inParts(cells, size || 1).map((part, nth) => ({ nth, image, place, cells: part }))
      }),
    )
    // Each guest's first, then each guest's second: two boots at once are not of the same guest, as long as there are others.
    const order = places.flatMap((place) =>
      parts
        .filter((part) => (part.result ?? part).place === place)
        .toSorted((a, b) => a.nth - b.nth),
    )
    const boots = order.filter((part) => part.place === 'boot').length
    const clock = asked.history === null ? () => null : shareClock(boots, started)
    const results = await twoByTwo(
      order.map((part) => async () => {
        const seconds = part.place === 'boot' ? clock() : null
        const result = part.result ?? (await runPart(part, work, keep, seconds))
        if (write) writeResults([result], allCells, prove)
        return result
      }),
    )
    return report(results)
  })
}

async function runPart({ nth, image, place, cells }, work, keep, seconds) {
  const { kernel, versions } = image
  const guest = findGuest(image.guest)
  const onLine = (line) => console.log(`${guest.name} ${place}: ${line}`)
  const runCells = (some, folder, groups, limit) =>
    runIn({ place, guest, work, folder, cells: some, groups, seconds: limit }, onLine)
  const alone = (some) => some.flatMap((cell) => groupsOf([cell]))
  const folder = join(work, `${place}-${guest.name}-${nth}`)
  const rows = (await runCells(cells, folder, groupsOf(cells), seconds)).filter(
    ({ isLeft }) => !isLeft,
  )
  const failed = rows.filter((row) => !isGood(row) && !impossibleReason(guest.name, row))
  const once = cells.filter(({ name }) => failed.some((row) => row.name === name))
  const again = failed.length > 0 && failed.length <= mostAgain
  const second = again ? await runCells(once, `${folder}-again`, alone(once), null) : []
  for (const { name } of second)
    console.log(`${guest.name} ${place}: ${name} failed, and was tried once more`)
  if (keep) keepRecordings(guest, place, folder, rows)
  return { guest: guest.name, place, kernel, versions, rows: withSecond(rows, second) }
}

async function runIn({ place, guest, work, folder, cells, groups, seconds }, onLine) {
  await prepare(place, folder, work, cells, groups, seconds)
  return (place === 'boot' ? runBooted : runNatively)(guest, work, folder, cells, onLine)
}

/**
 * Workloads wait for what the kernel does by its own clock, which an emulator on a busy machine can hold up. Few cells that fail
 * are tried once more, each alone, and the result says so; more than that is no accident.
 */
const mostAgain = 3

function withSecond(rows, second) {
  return rows.map((row) => {
    const other = second.find(({ name }) => name === row.name)
    return other === undefined ? row : { ...other, again: true }
  })
}

/** Recordings of good cells of the catalogue become fixtures: the raw run, and the events it must decode to. What others saw has none. */
function keepRecordings(guest, place, folder, rows) {
  if (place !== 'boot') return
  const target = join(root, 'fixtures/recordings')
  mkdirSync(target, { recursive: true })
  for (const { name } of rows.filter((each) => isGood(each) && !each.command)) {
    const kept = ['ebpfrun', 'ndjson'].map((kind) => ({
      from: join(folder, 'results', `${name}.${kind}`),
      to: join(target, `${name}-${guest.name}.${kind}`),
    }))
    if (kept.every(({ from }) => existsSync(from)))
      for (const { from, to } of kept) cpSync(from, to)
  }
}

function report(results) {
  const rows = results.flatMap(({ guest, place, rows }) =>
    rows.map((row) => ({ guest, place, row })),
  )
  const judged = rows.map((each) => ({ ...each, reason: impossibleReason(each.guest, each.row) }))
  const failed = judged.filter(({ row, reason }) => reason === null && !isGood(row))
  for (const { guest, place, row } of failed)
    console.log(`FAILED ${guest} ${place} ${row.name}: ${row.error ?? JSON.stringify(row)}`)
  for (const { guest, unavailable } of results.filter((each) => each.unavailable))
    console.log(unavailableText(guest, unavailable))
  console.log(`lab: ${judged.length - failed.length} passed, ${failed.length} failed`)
  return failed.length > 0 || judged.length === 0 ? 1 : 0
}
