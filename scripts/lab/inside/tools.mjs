// Runs scripts that others wrote, each for some seconds beside traffic that gives most of them something to see. Usage:
// node tools.mjs REQUEST.json, which holds {cli, out, probes, cells}; a cell is a script.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const folder = '/usr/sbin'
const seconds = 4
const mostEvents = 5000
const timeoutMs = 240_000

const request = JSON.parse(readFileSync(process.argv[2], 'utf8'))
async function output(words) {
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  const [status] = await once(child, 'close')
  clearTimeout(timer)
  return { status, stdout, stderr }
}

/** What a failed run says: the message, and the first thing that bpftrace said. */
function reasonOf(stderr) {
  const lines = stderr.split('\n').map((line) => line.trim())
  const at = lines.findIndex((line) => line.startsWith('ebpf-run: '))
  const said = lines.find((line) => line.startsWith('said: '))?.slice('said: '.length)
  return [lines[at]?.slice('ebpf-run: '.length) ?? lines[0], said].filter(Boolean).join(': ')
}

async function tryTool(name) {
  const file = join(folder, name)
  const summaryFile = join(request.out, `${name}.summary.json`)
  const words = ['-o', 'ndjson', '--duration', `${seconds}s`, '--count', String(mostEvents)]
  const run = await output([
    ...[request.cli, 'script', file, ...words],
    ...['--attach-timeout', '200s', '--drain', '20s', '--summary-json', summaryFile],
  ])
  const summary = existsSync(summaryFile) ? readFileSync(summaryFile, 'utf8') : ''
  if (run.status !== 0 || summary === '') return { name, error: reasonOf(run.stderr) }
  writeFileSync(join(request.out, `${name}.ndjson`), run.stdout)
  const { account, events, notes } = JSON.parse(summary)
  const sum = (figure) => Object.values(events).reduce((all, each) => all + (each[figure] ?? 0), 0)
  return {
    name,
    account,
    types: Object.fromEntries(Object.entries(events).map(([type, each]) => [type, each.delivered])),
    lost: sum('lost'),
    faults: sum('faults'),
    untyped: notes.filter((note) => note.includes('lines of output')).length,
  }
}

mkdirSync(request.out, { recursive: true })
const traffic = spawn('/usr/bin/python3', [join(import.meta.dirname, 'traffic-of-all.py')], {
  stdio: ['pipe', 'ignore', 'inherit'],
})
const all = readdirSync(folder).filter((name) => name.endsWith('.bt'))
const wanted = request.cells.map(({ name }) => name)
for (const name of all.filter(
  (each) => wanted.length === 0 || wanted.includes(basename(each, '.bt')),
)) {
  const row = await tryTool(name)
  writeFileSync(join(request.out, `${name}.tool.json`), JSON.stringify(row))
  console.log(`tool ${JSON.stringify(row)}`)
}
traffic.kill()
