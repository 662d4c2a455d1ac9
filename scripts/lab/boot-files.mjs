import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { makeDisk } from './disk.mjs';
import { makeInitramfs } from './initramfs.mjs';
import { makeKernel } from './kernel.mjs';
import { guestPaths } from './paths.mjs';

// All that decides what the boot files are like, besides the root file system they are taken from.
const sources = ['guest-init.sh', 'guest-main.sh', 'initramfs.mjs', 'kernel.mjs', 'disk.mjs'];

function stampFor(image) {
  const hash = createHash('sha256').update(JSON.stringify([image.recipe, image.built]));
  for (const source of sources) hash.update(readFileSync(new URL(source, import.meta.url)));
  return hash.digest('hex');
}

/** Makes the guest's disk, kernel and initramfs when they are missing or older than what they are made from. */
export async function ensureBootFiles(guest, image) {
  const paths = guestPaths(guest);
  const stamp = stampFor(image);
  if (existsSync(paths.bootStamp) && readFileSync(paths.bootStamp, 'utf8') === stamp) return;
  await makeDisk(paths.rootfs, paths.disk);
  await makeKernel(paths.rootfs, image.kernel, paths.kernel);
  await makeInitramfs(paths.rootfs, image.kernel, paths.initramfs);
  writeFileSync(paths.bootStamp, stamp);
}
