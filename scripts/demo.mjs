// `npm run demo`: installs what is missing, then shows tcpconnect at work; from a recording where this machine cannot trace.
// Runs before anything is installed, so it needs nothing but Node itself. What follows `--` goes to ebpf-run.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build, setUp } from './setup.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const recordings = 'fixtures/recordings'
const say = (text = '') => console.error(text)
/** Exit codes that mean: not on this machine, not by this user. */
const cannot = [69, 70, 77]

/** Runs ebpf-run; its events go to our stdout, and `onLine` sees what it says. Returns its exit status. */
async function ebpfRun(args, onLine = () => {}) {
  say(`\n$ ebpf-run ${args.join(' ')}`)
  const child = spawn(process.execPath, ['dist/src/cli.js', ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  createInterface(child.stderr).on('line', (line) => {
    say(line)
    onLine(line)
  })
  const [status] = await once(child, 'close')
  return status ?? 1
}

/** Listens on a loopback address; null where the address family is switched off. */
async function listen(host) {
  const server = createServer((socket) => socket.destroy())
  server.listen(0, host)
  try {
    await once(server, 'listening')
    return server
  } catch {
    return null
  }
}

/** Connects once and closes; whether that worked does not matter here. */
async function knock(host, port) {
  const socket = connect(port, host)
  await new Promise((resolve) => {
    socket.on('connect', () => socket.end())
    socket.on('error', () => {})
    socket.on('close', resolve)
  })
}

async function knockAll(servers) {
  for (const { host, server, refused } of servers) {
    await knock(host, server.address().port)
    await knock(host, refused)
  }
}

/** A port of this address where nobody listens: one that was just given back. */
async function closedPort(host) {
  const server = await listen(host)
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Traces connections of this very process: for each address family one that is accepted, and one that is refused. */
async function live(extra) {
  const servers = []
  for (const host of ['127.0.0.1', '::1']) {
    const server = await listen(host)
    if (server === null) say(`${host}: this machine has no such address; left out`)
    else servers.push({ host, server, refused: await closedPort(host) })
  }
  say(
    `\nThis process (${process.pid}) will connect to itself: on ${servers.map(({ host }) => host).join(' and ')},`,
  )
  say('once to a port that is open and once to one that is closed.')
  const made = 2 * servers.length
  const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-demo-'))
  const account = join(folder, 'account.json')
  const args = ['tcpconnect', '--pid', String(process.pid), '--count', String(made)]
  try {
    const status = await ebpfRun(
      [...args, '--duration', '20s', '--summary-json', account, ...extra],
      (line) => {
        if (/\battached\b/.test(line)) void knockAll(servers)
      },
    )
    if (status === 0) check(made, JSON.parse(readFileSync(account, 'utf8')))
    return status
  } finally {
    for (const { server } of servers) server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Says whether what was shown is what was done. Throws when it is not. */
function check(made, { account, events }) {
  const { delivered, lost } = events.connect
  if (delivered !== made || account !== 'exact')
    throw new Error(
      `${made} connections were made, but ${delivered} shown (account ${account}, lost ${lost})`,
    )
  say(
    `\n${made} connections were made and ${delivered} were shown. These came from this kernel, just now.`,
  )
}

/** Shows the same probe from a recording of a real kernel. */
async function replay(extra) {
  // The tracepoint variant tells most.
  const names = readdirSync(recordings).filter((each) => /^tcpconnect-.*\.ebpfrun$/.test(each))
  const name = names.sort().find((each) => each.includes('tracepoint')) ?? names[0]
  say(
    '\nWHAT FOLLOWS IS A RECORDING of a run on another machine, decoded here. Nothing is traced now.',
  )
  return ebpfRun(['replay', `${recordings}/${name}`, ...extra])
}

async function demo(extra) {
  const failures = setUp('demo', say)
  build(say)
  const status = await live(extra)
  if (!cannot.includes(status)) return status
  for (const failure of failures) say(failure)
  say(
    '\nThis machine cannot trace; ebpf-run said above what is missing, and `ebpf-run doctor` says more.',
  )
  return replay(extra)
}

try {
  process.exitCode = await demo(process.argv.slice(2))
} catch (error) {
  say(error.message)
  process.exitCode = 1
}
