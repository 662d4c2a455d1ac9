// Runs a group of cells on the same traffic: each program is started once, and each workload is run once for all that expect the
// same of it. bcc's own tool, if a cell compares with it, is attached while the first one runs.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compareWithBcc } from './bcc.mjs'
import { backends, compareEvents, compareGroups } from './both.mjs'
import { figuresOf, judge, ownEvents, spread, wrongBuckets, wrongSums } from './judge.mjs'
import { limit, named, startRun, startWorkload } from './start.mjs'

const nothing = { expected: 0, delivered: 0, lost: 0, wrong: 0, faults: 0, account: 'none' }

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The beginning of what ebpf-run said of an error, with its code. */
const saidBy = (errors) => errors.trim().split('\n').slice(0, 3).join(' | ')

/** The last error that it said, after what it said of its progress. */
function saidLast(errors) {
  const lines = errors.trim().split('\n')
  const at = lines.findLastIndex((line) => /^ebpf-run: .*\[[A-Z_]+\]/.test(line))
  return lines.slice(at).slice(0, 4).join(' | ')
}

/** Which variant the plan takes for a cell, of one back-end or of any (null). Throws what it says where there is none. */
function planner({ cli }) {
  const known = new Map()
  const ask = ({ probe, switches, asked }, backend) => {
    const words = [cli, 'plan', probe, ...(backend ? ['--backend', backend] : []), '-o', 'json']
    const options = [...switches.map((each) => `--${each}`), ...named(asked)]
    const { status, stdout, stderr } = spawnSync(process.execPath, [...words, ...options], {
      encoding: 'utf8',
    })
    return status === 0 ? { variant: JSON.parse(stdout).variant } : { error: saidBy(stderr) }
  }
  return (cell, backend) => {
    const key = `${cell.switches} ${backend}`
    if (!known.has(key)) known.set(key, ask(cell, backend))
    const { variant, error } = known.get(key)
    if (error !== undefined) throw new Error(backend && cell.both ? `${backend}: ${error}` : error)
    return variant
  }
}

/** The runs of ebpf-run that a cell needs, as cells of their own; the same one has the same name wherever it is needed. */
function watchersOf(cell, planned) {
  if (cell.command !== undefined) return [cell]
  const wanted = cell.both ? backends : [cell.backend]
  return wanted.map((backend) => {
    const variant = cell.variant ?? planned(cell, backend)
    const name = cell.by
      ? cell.name.replace('-both-', `-${backend}-`)
      : [cell.probe, variant, ...cell.switches].join('-')
    return { ...cell, name, variant, backend: null, both: false }
  })
}

/** bcc compiles for a minute: what is attached meanwhile sees all that it opens. */
const isOfBcc = ({ variant, backend }) => backend === 'bcc' || variant?.startsWith('bcc')

/** Names the workload that a cell looks at, and for which variants it is run. */
function trafficOf(cell, { variant }) {
  const script = cell.owners ? 'owners' : (cell.workload?.script ?? 'workload')
  const list = (cell.apart ?? []).findIndex((each) => each.includes(variant))
  return { key: `${script} ${list}`, script }
}

/** One group, as it goes: what runs, and what was seen. */
class Together {
  watchers = new Map()
  traffic = new Map()
  /** By the cell's name: its runs, its traffic, or what is wrong with it. */
  parts = new Map()
  /** What took how many seconds, for people. */
  took = []

  constructor(request, cells) {
    this.request = request
    this.cells = cells
    const planned = planner(request)
    for (const cell of cells) this.parts.set(cell.name, this.partOf(cell, planned))
  }

  partOf(cell, planned) {
    try {
      const watchers = watchersOf(cell, planned).map((each) => {
        if (!this.watchers.has(each.name)) this.watchers.set(each.name, { cell: each })
        return this.watchers.get(each.name)
      })
      const { key, script } = trafficOf(cell, watchers[0].cell)
      if (!this.traffic.has(key)) {
        // What is counted in the kernel is the same for all variants.
        const variant = cell.by ? cell.variant : watchers[0].cell.variant
        this.traffic.set(key, { script, cell: { ...cell, variant }, watchers: new Set() })
      }
      const traffic = this.traffic.get(key)
      traffic.hasTool ||= cell.bcc
      for (const each of watchers) traffic.watchers.add(each)
      return { watchers, traffic }
    } catch (error) {
      return { error: error.message }
    }
  }

  async timed(what, task) {
    const from = Date.now()
    const result = await task()
    this.took.push(`${what} ${Math.round((Date.now() - from) / 1000)} s`)
    return result
  }

  async attach(watcher, place) {
    try {
      watcher.run = await startRun(this.request, watcher.cell, place)
      if (!watcher.run.isAttached) watcher.error = saidBy(watcher.run.errors())
    } catch (error) {
      watcher.error = error.message
    }
  }

  prepare(traffic) {
    traffic.started = startWorkload(this.request.probes, traffic.cell, {
      isShared: this.watchers.size > 1,
    })
    return traffic.started.place
  }

  /** Runs a workload for those that are attached; its lines are what each must have seen. */
  async drive(traffic) {
    const { cell, watchers } = traffic
    if ([...watchers].every(({ error }) => error !== undefined)) {
      traffic.started?.end()
      traffic.error = 'nothing was attached'
      return
    }
    try {
      const from = Date.now()
      if (traffic.started === undefined) void this.prepare(traffic)
      const lines = await this.timed(traffic.script, () => traffic.started.run())
      await pause(500)
      const isRepeated = [...this.traffic.values()].filter(
        ({ script }) => script === traffic.script,
      ).length
      traffic.lines =
        isRepeated > 1 && !cell.owners ? within(lines, from - 200, Date.now() - 100) : lines
    } catch (error) {
      traffic.error = error.message
    }
  }

  async end(watcher) {
    const { run } = watcher
    if (run === undefined) return
    run.child.kill('SIGINT')
    // A kernel detaches hundreds of functions one at a time, which takes minutes in an emulator.
    const isEnded = await Promise.race([run.ended.then(() => true), pause(limit * 1000)])
    if (!isEnded) {
      run.child.kill('SIGKILL')
      watcher.error ??= `ebpf-run did not end in ${limit} s`
    }
    if (watcher.error !== undefined) return
    const status = await run.ended
    if (status !== 0)
      watcher.error = `ebpf-run ended with ${status ?? 'nothing'}: ${saidLast(run.errors())}`
    watcher.summary = existsSync(run.files.summary)
      ? JSON.parse(readFileSync(run.files.summary, 'utf8'))
      : null
  }

  async run() {
    const all = [...this.traffic.values()]
    // What is to be older than the runs, or is where they are attached, stands before them.
    const early = all.filter(({ cell }) => cell.owners || cell.onInterfaces || cell.hasOlder)
    const places = []
    for (const traffic of early) places.push(...(await this.prepare(traffic)))
    const watchers = [...this.watchers.values()]
    const attachAll = async (some) => {
      for (const each of some) await this.timed(each.cell.name, () => this.attach(each, places))
    }
    // bpftrace to 0.17 cannot put a uprobe where bcc has one (EINVAL of perf_event_open, seen on 6.1 and 6.18).
    const isFirst = ({ cell }) => isOfBcc(cell) && cell.probe !== 'dns'
    await attachAll(watchers.filter(isFirst))
    await attachAll(watchers.filter((each) => !isFirst(each)))
    const beside = all.find(({ hasTool }) => hasTool)
    if (beside !== undefined) {
      const from = Date.now()
      beside.tool = await compareWithBcc(beside.cell.probe, () => {
        this.took.push(`bcc's tool ${Math.round((Date.now() - from) / 1000)} s`)
        return this.drive(beside)
      })
    }
    for (const each of all.filter((other) => other !== beside && !early.includes(other)))
      await this.drive(each)
    for (const each of early.filter((other) => other !== beside)) await this.drive(each)
    await this.timed('end', () => Promise.all(watchers.map((each) => this.end(each))))
    return this.cells.map((cell) => this.rowOf(cell))
  }

  giveUp() {
    for (const { started } of this.traffic.values()) started?.end()
    for (const { run } of this.watchers.values()) run?.child.kill('SIGKILL')
  }

  /** How often the kernel skipped a program of one run, at most: that of bcc's tool, which does not count it, stood beside them. */
  skipped() {
    const runs = [...this.watchers.values()].map(({ summary }) => figuresOf(summary).missed ?? 0)
    return Math.max(0, ...runs)
  }

  rowOf(cell) {
    const row = { ...cell, ...nothing, apart: undefined }
    const { error, watchers = [], traffic } = this.parts.get(cell.name)
    const failed = watchers.find((each) => each.error !== undefined)
    if (failed !== undefined && cell.both) {
      const backend = backends[watchers.indexOf(failed)]
      return { ...row, error: `${backend}: ${failed.error}` }
    }
    const wrong = error ?? failed?.error ?? traffic.error
    if (wrong !== undefined) return { ...row, error: wrong }
    return cell.both
      ? bothRow(row, watchers, traffic.lines)
      : ownRow(this.request, row, watchers[0], traffic, this.skipped())
  }
}

function ownRow({ out }, cell, { cell: own, run, summary }, { lines, tool }, skipped) {
  const verdict = withLeftOut(
    cell.by ? judgeSummary(lines, run.events, summary, cell) : judge(lines, run.events, summary),
    summary,
    cell,
  )
  // The recording is of the run, and so are the events beside it.
  writeFileSync(
    join(out, `${own.name}.ndjson`),
    run.events.map((event) => `${JSON.stringify(event)}\n`).join(''),
  )
  return {
    ...cell,
    ...verdict,
    bcc: cell.bcc ? tool.judge(lines, verdict.events, skipped) : false,
    events: undefined,
    variant: summary?.variant ?? own.variant,
  }
}

function bothRow(cell, watchers, lines) {
  const seen = watchers.map(({ run, summary }) => ({
    variant: summary?.variant ?? null,
    ...figuresOf(summary),
    events: ownEvents(lines, run.events),
  }))
  const verdict = (cell.by ? compareGroups : compareEvents)(cell, ...seen)
  return { ...cell, ...verdict, events: undefined, pair: seen.map(({ variant }) => variant) }
}

/** The lines of a workload that runs several times, each time for other variants: what is of another time is not its. */
function within(lines, from, to) {
  const timed = lines.map((line) =>
    line.scope && !line.since ? { ...line, since: new Date(from).toISOString() } : line,
  )
  return timed.some(({ until }) => until)
    ? timed
    : [...timed, { until: new Date(to).toISOString() }]
}

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

/** Runs the cells of a group; a row for each. `giveUp` ends what runs. */
export function startTogether(request, cells) {
  const together = new Together(request, cells)
  return { rows: together.run(), took: together.took, giveUp: () => together.giveUp() }
}
