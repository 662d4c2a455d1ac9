import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { requireBuilt } from './image.mjs'
import { qemuArgs } from './qemu.mjs'

/** Starts the emulator so that it dies with this process, whatever ends this process (SIGKILL too). */
export function spawnQemu(args, stdio) {
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio })
}

/** An empty out/ in the work folder, so that no result of an earlier boot can be taken for one of this boot. */
function prepareWorkDir(workDir, script) {
  rmSync(join(workDir, 'out'), { recursive: true, force: true })
  mkdirSync(join(workDir, 'out'), { recursive: true })
  if (script !== undefined) writeFileSync(join(workDir, 'guest.sh'), script)
}

function readOut(workDir, name) {
  const file = join(workDir, 'out', name)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

/** The exit status the guest wrote, or null: it ended (or was ended) before its script did. */
function readStatus(workDir) {
  const text = readOut(workDir, 'status')?.trim()
  return text ? Number(text) : null
}

/** Collects the serial line, kernel messages and the script's output alike, and passes it on line by line. */
function collectLines(stream, onLine) {
  const lines = []
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
    lines.push(line)
    onLine(line)
  })
  return lines
}

/** How long a boot may take on a busy machine; alone it takes 5 to 7 s. What has not begun then never will. */
const startTimeoutMs = 120_000

/** What a guest may take to power off after its script ended; alone it takes a second. */
const powerOffTimeoutMs = 60_000

async function bootOnce(guest, { workDir, script, shares, timeoutMs, onLine }) {
  prepareWorkDir(workDir, script)
  const started = Date.now()
  const qemu = spawnQemu(qemuArgs(guest, { workDir, shares }), ['ignore', 'pipe', 'pipe'])
  const lines = collectLines(qemu.stdout, onLine)
  const errors = collectLines(qemu.stderr, onLine)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    qemu.kill('SIGKILL')
  }, timeoutMs)
  const startTimer = setTimeout(() => {
    if (readOut(workDir, 'started') === undefined) qemu.kill('SIGKILL')
  }, startTimeoutMs)
  // Linux 7.2 may hang in this emulator when it powers off: by then everything has been said.
  let endTimer
  const endWatch = setInterval(() => {
    if (endTimer === undefined && readStatus(workDir) !== null)
      endTimer = setTimeout(() => qemu.kill('SIGKILL'), powerOffTimeoutMs)
  }, 1_000)
  await once(qemu, 'close')
  clearInterval(endWatch)
  clearTimeout(endTimer)
  clearTimeout(timer)
  clearTimeout(startTimer)
  return {
    status: readStatus(workDir),
    seconds: (Date.now() - started) / 1000,
    kernel: readOut(workDir, 'started')?.trim(),
    started: readOut(workDir, 'started') !== undefined,
    timedOut,
    output: readOut(workDir, 'output') ?? '',
    log: [...lines, ...errors].join('\n'),
  }
}

/**
 * Boots the guest, runs `script` (shell text; without one, the guest.sh that is in `workDir` already) as root in it
 * and waits for the power-off. The guest sees `workDir` as /work9, writable, and every `shares` {from, to, readOnly}.
 *
 * Result: `status` is the script's exit status, null when it did not end by itself (then `timedOut` may say why);
 * `kernel` the release the guest reported; `output` what the script printed; `log` the whole serial line;
 * `retried` whether the first boot died (or hung) before the script started. Linux 7.2 panics in one of 15 boots in this
 * emulator even with one CPU, which says nothing about what is being tested; a script that has started is never
 * run a second time.
 */
export async function bootGuest(
  guest,
  { workDir, script, shares = [], timeoutMs = 300_000, onLine = () => {} },
) {
  const options = { workDir: resolve(workDir), script, shares, timeoutMs, onLine }
  requireBuilt(guest)
  const first = await bootOnce(guest, options)
  if (first.started || first.timedOut) return { ...first, retried: false }
  onLine(`lab: ${guest.name} died before its script started: booting it a second time`)
  const second = await bootOnce(guest, options)
  return {
    ...second,
    retried: true,
    seconds: first.seconds + second.seconds,
    log: `${first.log}\n${second.log}`,
  }
}
