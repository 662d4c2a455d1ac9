// Kills what runs a probe on an interface, and looks at what is left there: nothing may be attached, and every packet must have
// arrived. Plain Node, as the guests have it. Usage: node killed.mjs CLI PROBE VARIANT run|driver|group|both [beside]
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const [cli, probe, variant, victim, beside] = process.argv.slice(2)
const traffic = join(import.meta.dirname, 'traffic.py')
const python = '/usr/bin/python3'
const patienceMs = 30_000

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Lines of a child that starts with our own file descriptors for the rest. */
function start(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return { child, next: async () => JSON.parse((await lines.next()).value ?? 'null') }
}

/** Process ids to their parents and commands, without those that have ended. */
function processes() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        const command = readFileSync(`/proc/${name}/cmdline`, 'latin1')
        return state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent), command }]
      } catch {
        return []
      }
    })
}

/** Ids of the BPF links that a process holds. */
function linksOf(pid) {
  return readdirSync(`/proc/${pid}/fdinfo`).flatMap((name) => {
    const info = readFileSync(`/proc/${pid}/fdinfo/${name}`, 'utf8')
    return /^link_id:\s*(\d+)$/m.exec(info)?.slice(1) ?? []
  })
}

const sender = start(python, ['-B', traffic, 'send'])
const place = await sender.next()
const inside = [`--net=${place[1]}`]
const run = (...words) => execFileSync('nsenter', [...inside, ...words], { encoding: 'utf8' })
if (beside) {
  // Somebody else's, which must stay.
  run('tc', 'qdisc', 'add', 'dev', 'er0', 'clsact')
  run(
    ...'tc filter add dev er0 ingress pref 7 protocol all u32 match u32 0 0 flowid 1:1'.split(' '),
  )
}
const links = []
const attached = () => JSON.parse(run(python, '-B', traffic, 'attached', ...links))
const before = attached()

const args = [cli, probe, '--variant', variant, ...place, '-o', 'ndjson', '--lifecycle']
const traced = start(process.execPath, [...args, '--attach-timeout', '180s'])
for (;;) {
  const line = await traced.next()
  if (line === null) throw new Error('ebpf-run was not attached')
  if (line.lifecycle === 'attached') break
}
const ours = processes().filter(({ command }) => command.includes('bcc/driver.py\0'))
const driver = ours.find(({ parent }) => parent === traced.child.pid)
if (driver === undefined) throw new Error('there is no driver')
const watchers = ours.filter(({ parent }) => parent === driver.pid)
links.push(...linksOf(driver.pid))
const during = attached()

const targets = {
  run: [traced.child.pid],
  driver: [driver.pid],
  group: [-driver.pid],
  both: [traced.child.pid, driver.pid],
}
for (const pid of targets[victim]) process.kill(pid, 'SIGKILL')
const killedAt = Date.now()
const pids = [driver, ...watchers].map(({ pid }) => pid)
const isAlive = () => processes().some(({ pid }) => pids.includes(pid))
while (
  (isAlive() || JSON.stringify(attached()) !== JSON.stringify(before)) &&
  Date.now() - killedAt < patienceMs
)
  await sleep(100)
const after = attached()
const left = processes().filter(({ pid }) => pids.includes(pid)).length
await sleep(200)
sender.child.stdin.end()
const packets = await sender.next()
if (traced.child.exitCode === null && traced.child.signalCode === null)
  await Promise.race([once(traced.child, 'close'), sleep(10_000)])
console.log(JSON.stringify({ before, during, after, left, packets, ms: Date.now() - killedAt }))
process.exit(0)
