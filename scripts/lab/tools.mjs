import { copyFileSync, existsSync, mkdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { makeDisk } from './disk.mjs'
import { toolsDir, toolsDisk } from './paths.mjs'

/** The copy of the node that runs this script, as guests see it. Debian 11's libc is new enough for Node 20 (2.28). */
const guestNode = join(toolsDir, 'node')

function sameFile(one, other) {
  return one.size === other.size && Math.trunc(one.mtimeMs) === Math.trunc(other.mtimeMs)
}

/** Makes the disk with the host's node, again when the host has got another one. */
export async function ensureTools() {
  const host = statSync(process.execPath)
  if (existsSync(toolsDisk) && sameFile(host, statSync(guestNode))) return
  rmSync(toolsDisk, { force: true })
  mkdirSync(toolsDir, { recursive: true })
  copyFileSync(process.execPath, guestNode)
  utimesSync(guestNode, host.atime, host.mtime)
  await makeDisk(toolsDir, toolsDisk)
}
