import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { makeDisk } from './disk.mjs'
import { makeInitramfs } from './initramfs.mjs'
import { makeKernel } from './kernel.mjs'
import { guestPaths } from './paths.mjs'

/** Identifies what a file is made from: the root file system, and the sources here that decide how. */
function stampFor(image, sources) {
  const hash = createHash('sha256').update(JSON.stringify([image.recipe, image.built]))
  for (const source of sources) hash.update(readFileSync(new URL(source, import.meta.url)))
  return hash.digest('hex')
}

/** Makes `target` when it is missing or made from something else. A guest that has the old one open keeps it. */
async function ensureFile(target, stamp, make) {
  const stampFile = `${target}.stamp`
  if (existsSync(target) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp)
    return
  await make(target)
  writeFileSync(stampFile, stamp)
}

/** Makes what the guest boots from: its disk, kernel and initramfs. */
export async function ensureBootFiles(guest, image) {
  const { rootfs, disk, kernelFile, initramfs } = guestPaths(guest)
  await ensureFile(disk, stampFor(image, ['disk.mjs']), (target) => makeDisk(rootfs, target))
  await ensureFile(kernelFile, stampFor(image, ['kernel.mjs']), (target) =>
    makeKernel(rootfs, image.kernel, target),
  )
  const sources = ['initramfs.mjs', 'guest-init.sh', 'guest-main.sh']
  await ensureFile(initramfs, stampFor(image, sources), (target) =>
    makeInitramfs(rootfs, image.kernel, target),
  )
}
