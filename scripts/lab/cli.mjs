#!/usr/bin/env node
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootGuest, spawnQemu } from './boot.mjs'
import { findGuest, guests } from './guests.mjs'
import { cacheSize, ensureImages, unavailableText } from './image.mjs'
import { cacheDir } from './paths.mjs'
import { qemuArgs } from './qemu.mjs'

const usage = `usage: node scripts/lab/cli.mjs COMMAND
  images [GUEST ...]      build the guests that are missing or out of date, and list all of them
  run [GUEST|CELL ...] [--native|--boot] [--share|--unproven] [--write] [--keep-recordings]
                          all cells, or those whose names begin so; --share boots changed probes and some others,
                          --unproven runs those that no result proves as they are now, --write puts the results into
                          docs/kernels.md as each boot ends, --keep-recordings makes fixtures of them
  overhead [GUEST|PROBE ...] [--write]
                          kernel time an event beside bcc's own tools; --write puts it into docs/overhead.md
  scripts [GUEST|SCRIPT ...] [--write]
                          the scripts of bpftrace's own package; --write puts the results into docs/scripts.md
  shell GUEST             a root shell on the guest's serial line (Ctrl-A X ends the guest)
  boot GUEST -- SCRIPT    run a shell script (text or file) in the guest, with its exit status
guests: ${guests.map(({ name }) => name).join(', ')}`

class UsageError extends Error {}

/** A throw-away work folder for one boot. */
async function withWorkDir(task) {
  const workDir = mkdtempSync(join(tmpdir(), 'ebpf-run-lab-'))
  try {
    return await task(workDir)
  } finally {
    rmSync(workDir, { recursive: true, force: true })
  }
}

/** Builds the guests when necessary; throws with the reason of the first that cannot be had. */
async function requireImages(wanted) {
  const results = await ensureImages(wanted, (line) => console.error(line))
  const missing = results.find(({ ok }) => !ok)
  if (missing) throw new Error(`${missing.guest}: ${missing.reason}`)
}

function describe({ guest, ok, reason, kernel, versions, seconds }) {
  if (!ok) return unavailableText(guest, reason)
  return `${guest}: kernel ${kernel}, bpftrace ${versions.bpftrace}, bcc ${versions['python3-bpfcc']}, built in ${seconds} s`
}

async function images(names) {
  const wanted = names.length > 0 ? names.map(findGuest) : guests
  const results = await ensureImages(wanted, (line) => console.error(line))
  for (const result of results) console.log(describe(result))
  console.log(`${cacheDir}: ${((await cacheSize()) / 1e9).toFixed(1)} GB`)
  return results.every(({ ok }) => ok) ? 0 : 1
}

async function shell([name]) {
  const guest = findGuest(name)
  await requireImages([guest])
  return withWorkDir(async (workDir) => {
    mkdirSync(join(workDir, 'out'))
    const qemu = spawnQemu(qemuArgs(guest, { workDir, shell: true }), 'inherit')
    const [status] = await once(qemu, 'close')
    return status ?? 1
  })
}

/** The script's text: SCRIPT itself, or what is in the file of that name. */
function scriptText(words) {
  const text = words.join(' ')
  try {
    return readFileSync(text, 'utf8')
  } catch {
    return text
  }
}

async function boot([name, separator, ...words]) {
  if (separator !== '--' || words.length === 0) throw new UsageError()
  const guest = findGuest(name)
  await requireImages([guest])
  const run = (workDir) =>
    bootGuest(guest, { workDir, script: scriptText(words), onLine: (line) => console.log(line) })
  const { status, seconds, kernel, timedOut } = await withWorkDir(run)
  const end = timedOut ? 'timed out' : `status ${status}`
  console.error(`${name}: kernel ${kernel}, ${end}, ${seconds.toFixed(1)} s`)
  return status ?? 1
}

const runOptions = ['--native', '--boot', '--share', '--unproven', '--write', '--keep-recordings']

async function run(words) {
  if (words.some((word) => word.startsWith('-') && !runOptions.includes(word)))
    throw new UsageError()
  const { runLab } = await import('./run.mjs')
  return runLab(words)
}

async function overhead(words) {
  const { runOverhead } = await import('./overhead.mjs')
  return runOverhead(words)
}

async function scripts(words) {
  const { runScripts } = await import('./scripts.mjs')
  return runScripts(words)
}

const commands = { images, shell, boot, run, overhead, scripts }

async function main([command, ...args]) {
  if (!Object.hasOwn(commands, command ?? '')) throw new UsageError()
  return commands[command](args)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof UsageError ? usage : error.message)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
