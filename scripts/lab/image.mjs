import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { $ } from 'zx'
import { ensureBootFiles } from './boot-files.mjs'
import { withLock } from './lock.mjs'
import { buildPrefix, cacheDir, guestPaths } from './paths.mjs'
import { inspectRootfs, makeRootfs, recipeHash } from './rootfs.mjs'
import { ensureTools } from './tools.mjs'

/** The stamp of a finished, up-to-date guest, or undefined when it has to be built. */
export function readStamp(guest) {
  const { stamp } = guestPaths(guest)
  if (!existsSync(stamp)) return undefined
  const content = JSON.parse(readFileSync(stamp, 'utf8'))
  return content.recipe === recipeHash(guest) ? content : undefined
}

/** Throws when the guest has yet to be built. */
export function requireBuilt(guest) {
  if (!readStamp(guest))
    throw new Error(`guest ${guest.name} is not built: run "node scripts/lab/cli.mjs images"`)
}

/** Removes what killed builds left. Only called while the lock is held, so nothing of it is in use. */
function removeLeftovers() {
  for (const name of readdirSync(cacheDir)) {
    if (name.startsWith(buildPrefix)) rmSync(join(cacheDir, name), { recursive: true, force: true })
  }
}

/** Puts a finished build in its place: whoever looks sees the old guest, none, or the complete new one. */
function publish(build, final) {
  const old = `${build}-old`
  if (existsSync(final)) renameSync(final, old)
  renameSync(build, final)
  rmSync(old, { recursive: true, force: true })
}

async function buildGuest(guest) {
  const started = Date.now()
  const build = join(cacheDir, `${buildPrefix}${guest.name}-${process.pid}`)
  const paths = guestPaths(guest, build)
  try {
    mkdirSync(paths.mountPoint, { recursive: true })
    await makeRootfs(guest, paths.rootfs, paths.log)
    const contents = await inspectRootfs(paths.rootfs)
    const seconds = Math.round((Date.now() - started) / 1000)
    const stamp = {
      recipe: recipeHash(guest),
      ...contents,
      seconds,
      built: new Date().toISOString(),
    }
    writeFileSync(paths.stamp, `${JSON.stringify(stamp, null, 2)}\n`)
    publish(build, guestPaths(guest).base)
    return stamp
  } finally {
    rmSync(build, { recursive: true, force: true })
  }
}

/** The end of a build's log, which is where mmdebstrap and apt say what was wrong. */
function lastWords(log) {
  if (!existsSync(log)) return ''
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  return (
    lines
      .filter((line) => /^(E|W|Err|error)\b/i.test(line))
      .slice(-3)
      .join(' | ') || lines.at(-1)
  )
}

/** Whether the mirror no longer has the release, as apt says it: then the guest is gone for good, and nobody's mistake. */
export const hasLeftMirror = (reason) => /does not have a Release file/.test(reason)

/** What is said of a guest that cannot be had; .ci/run counts the second kind as failed. */
export const unavailableText = (name, reason) =>
  `${name}: ${hasLeftMirror(reason) ? 'its release has left the mirror' : 'not available'}: ${reason}`

/** A guest that cannot be made is a result like any other, with its reason. */
async function prepareGuest(guest, onProgress) {
  try {
    const ready = readStamp(guest)
    if (!ready) onProgress(`${guest.name}: building`)
    const stamp = ready ?? (await buildGuest(guest))
    await ensureBootFiles(guest, stamp)
    onProgress(
      `${guest.name}: ${ready ? 'cached' : `built in ${stamp.seconds} s`} ${guestPaths(guest).rootfs}`,
    )
    return { guest: guest.name, ok: true, cached: Boolean(ready), ...guestPaths(guest), ...stamp }
  } catch (error) {
    const { log } = guestPaths(guest)
    const reason = `${error.exitCode ? lastWords(log) : error.message} (log: ${log})`
    onProgress(unavailableText(guest.name, reason))
    return { guest: guest.name, ok: false, reason }
  }
}

/** Applies `task` to every item, `limit` at a time, and keeps the order of the results. */
async function mapLimited(items, limit, task) {
  const results = []
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await task(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
  return results
}

/** Builds what is missing or out of date, two guests at a time, and returns one result object per guest. */
export async function ensureImages(wanted, onProgress = () => {}) {
  mkdirSync(cacheDir, { recursive: true })
  const wait = () => onProgress('another run is preparing the guests: waiting for it')
  return withLock(
    join(cacheDir, '.lock'),
    async () => {
      removeLeftovers()
      await ensureTools()
      return mapLimited(wanted, 2, (guest) => prepareGuest(guest, onProgress))
    },
    wait,
  )
}

/** The size of the cache on disk, in bytes. */
export async function cacheSize() {
  const { stdout } = await $({ quiet: true })`du --summarize --block-size=1 ${cacheDir}`
  return Number(stdout.split('\t')[0])
}
