/*
 * npm run bench: ratios of one run, never absolute promises. Needs a build; the parts that trace need root, and one of
 * them jq. --write puts the tables into docs/bench.md; --only PART runs one part; --quick is to see that it works.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { decodeBench } from './bench/decode.mjs'
import { hasJq, pipeBench } from './bench/pipe.mjs'
import { attachBench, startBench } from './bench/start.mjs'
import { consoleText, pageText } from './bench/tables.mjs'

const isQuick = process.argv.includes('--quick')
const limit = { timeout: 120_000, killSignal: 'SIGKILL' }
const isRoot = process.getuid() === 0
const times = (ratio) => (ratio === null ? '' : `${ratio.toFixed(2)}x`)
const percent = (share) => `${Math.round(share * 100)} %`

/** Steps of the load: a rate that leaves time, and as fast as one process can write while it is traced. */
const loads = [
  { name: 'moderate', count: isQuick ? 20_000 : 200_000, burst: 300, pauseMs: 5 },
  { name: 'full speed', count: isQuick ? 50_000 : 600_000, burst: 1, pauseMs: 0 },
]

/** What is to be reached, in the order of docs/architecture.md: each with the figure of this run. */
const targets = []
const target = (what, limit, figure, isMet) =>
  targets.push([what, limit, figure, isMet ? 'yes' : 'no'])

async function decodeTable() {
  const count = isQuick ? 100_000 : 1_000_000
  const rows = await decodeBench({ count, rounds: 3 })
  for (const [name, least] of [
    ['NDJSON', 1.5],
    ['objects', 2],
  ]) {
    const { perSecond } = rows.find(
      (row) => row.name.startsWith('ebpf-run') && row.name.includes(name),
    )
    const millions = perSecond / 1e6
    target(`decoding to ${name}`, `${least} M/s`, `${millions.toFixed(2)} M/s`, millions >= least)
  }
  return {
    title: 'Decoding',
    text: `${count} records of ten fields, already in memory. Events in a second of CPU time.`,
    head: ['Way', 'M/s', 'Ratio'],
    rows: rows.map(({ name, perSecond, ratio }) => [
      name,
      (perSecond / 1e6).toFixed(2),
      times(ratio),
    ]),
  }
}

/** The whole of ebpf-run, with as many real events. */
async function residentTables() {
  if (!isRoot) return []
  const count = isQuick ? 100_000 : 10_000_000
  const load = { name: 'memory', count, burst: 1, pauseMs: 0 }
  const { results } = await pipeBench({
    loads: [load],
    rounds: 1,
    only: 'ebpf-run -o ndjson',
    tell: (line) => console.error(line),
  })
  const [{ delivered, lost, resident }] = results[0].rows
  const most = Math.round(resident)
  target(`resident after ${delivered} events`, '100 MB', `${most} MiB`, resident * 2 ** 20 <= 100e6)
  return [
    {
      title: 'Memory of ebpf-run',
      text: `Resident memory of \`ebpf-run -o ndjson\` at its most, until ${delivered} events of the kernel were delivered.`,
      head: ['Delivered', 'Lost', 'At most'],
      rows: [[delivered, lost.join(' '), `${most} MiB`]],
    },
  ]
}

/** In a process of its own, so that nothing else is resident in it. */
function memoryTable() {
  const script = fileURLToPath(new URL('./bench/decode.mjs', import.meta.url))
  const said = spawnSync(process.execPath, [script, '--memory'], { encoding: 'utf8', ...limit })
  const [, events, before, most] =
    /^(\d+) events: resident (\d+) .* (\d+) MiB/m.exec(said.stdout) ?? []
  if (most === undefined) throw new Error(`the memory benchmark failed: ${said.stderr}`)
  return {
    title: 'Memory of the decoder',
    text: `Resident memory of a process that decodes ${events} events to NDJSON.`,
    head: ['Before', 'At most', 'More'],
    rows: [[`${before} MiB`, `${most} MiB`, `${most - before} MiB`]],
  }
}

async function pipeTables() {
  if (!isRoot) return []
  const { results, bufferBytes, transport } = await pipeBench({
    loads,
    rounds: isQuick ? 1 : 5,
    tell: (line) => console.error(line),
  })
  for (const { load, rows } of results) {
    const own = rows.find(({ name }) => name.startsWith('ebpf-run'))
    target(
      `CPU of ebpf-run, ${load.name}`,
      "25 % of bpftrace's",
      `${percent(own.ownShare)}, in the second half ${percent(own.laterShare)}`,
      own.ownShare <= 0.25,
    )
  }
  return results.map(({ load, rows }) => ({
    title: `The whole pipe, ${load.name}`,
    text: pipeIntroduction(load, rows, bufferBytes, transport),
    head: [
      'Way',
      'Events',
      'Delivered',
      'Lost, each round',
      'CPU µs an event',
      'Ratio',
      'bpftrace µs',
      'Reader / bpftrace',
      'in 2nd half',
    ],
    rows: rows.map((row) => [
      row.name,
      row.emitted,
      row.delivered,
      row.lost.join(' '),
      row.microseconds.toFixed(2),
      times(row.microseconds / rows[0].microseconds),
      row.bpftraceMicroseconds.toFixed(2),
      percent(row.ownShare),
      percent(row.laterShare),
    ]),
  }))
}

function pipeIntroduction(load, rows, bufferBytes, transport) {
  const rates = rows.map((row) => Math.round(row.perSecond / 1_000))
  const rate = `${Math.min(...rates)} to ${Math.max(...rates)} thousand a second`
  return (
    `${load.count} writes of one process, ${rate}, each as a line to /dev/null. CPU time is that of all processes of ` +
    `the way but the one that writes, from attached until the last event was read. The ${transport} has ` +
    `${bufferBytes / 2 ** 20} MiB in each way. Medians of the rounds; the ways take turns.${hasJq() ? '' : ' jq is not installed: bpftrace -f json | jq is left out.'}`
  )
}

function startTable() {
  const rounds = isQuick ? 3 : 9
  const measured = startBench({ rounds })
  for (const [command, most] of [
    ['--version', 1.5],
    ['list', 1.5],
    ['--help', 3],
    ['tcpconnect --help', 3],
  ]) {
    const { name, ratio } = measured.find((each) => each.name === `ebpf-run ${command}`)
    target(name, `${most} times node`, times(ratio), ratio <= most)
  }
  return {
    title: 'Start',
    text: 'Wall-clock time against `node -e 0`.',
    head: ['Command', 'Ratio'],
    rows: measured.map(({ name, ratio }) => [name, times(ratio)]),
  }
}

function attachTables() {
  if (!isRoot) return []
  const { name, ratio } = attachBench({ rounds: isQuick ? 3 : 9 })
  target(
    'from start to attached, and gone again',
    '3 times node and bpftrace',
    times(ratio),
    ratio <= 3,
  )
  return [
    {
      title: 'Until attached and gone again',
      text: 'Wall-clock time against `node -e 0` plus bare bpftrace with the same program.',
      head: ['Command', 'Ratio'],
      rows: [[name, times(ratio)]],
    },
  ]
}

const parts = {
  decode: async () => [await decodeTable()],
  memory: async () => [memoryTable()],
  resident: residentTables,
  pipe: pipeTables,
  start: async () => [startTable()],
  attach: async () => attachTables(),
}

function machine() {
  const version = (command) =>
    spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout?.trim() || 'none'
  const memory = Number(/^MemTotal:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1])
  const isVirtual = /^flags\s*:.* hypervisor/m.test(readFileSync('/proc/cpuinfo', 'latin1'))
  return [
    `${cpus().length} ${isVirtual ? 'virtual cores' : 'cores'}`,
    `${Math.round(memory / 2 ** 20)} GiB`,
    `kernel ${release()}`,
    `Node ${process.versions.node}`,
    version('bpftrace'),
    version('jq'),
    `load average ${loadavg()[0].toFixed(1)} at the start`,
  ].join(', ')
}

const only = process.argv.includes('--only')
  ? process.argv[process.argv.indexOf('--only') + 1]
  : null
if (only !== null && !(only in parts)) {
  console.error(`no part ${only}: ${Object.keys(parts).join(', ')}`)
  process.exit(2)
}
const host = machine()
console.log(host)
const tables = []
for (const [name, measure] of Object.entries(parts)) {
  if (only !== null && name !== only) continue
  const made = await measure()
  for (const table of made) console.log(consoleText(table))
  tables.push(...made)
}
tables.unshift({
  title: 'Targets',
  text: 'What is to be reached, and what this run reached.',
  head: ['What', 'Target', 'Reached', 'Met'],
  rows: targets,
})
console.log(consoleText(tables[0]))
if (!isRoot) console.log('\nnot root: what traces was left out')
if (process.argv.includes('--write')) {
  const page = new URL('../docs/bench.md', import.meta.url)
  writeFileSync(page, pageText({ host, tables }))
}
