import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { $ } from 'zx';
import { guestPaths } from './paths.mjs';

const quiet = $({ quiet: true });
const here = fileURLToPath(new URL('.', import.meta.url));
const scripts = ['guest-init.sh', 'guest-main.sh'];

// What the guest needs before it sees its root file system, and the two that make networks and loss on it.
const modules = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_net', 'virtio_rng', 'sch_netem', 'veth'];
const decompressors = { '.xz': ['xz', '-dc'], '.zst': ['zstd', '-dcq'], '.gz': ['gzip', '-dc'] };

/** The files to load, in order and each once, from the output of `modprobe --show-depends` for all modules. */
export function moduleFiles(showDepends) {
  const files = showDepends
    .split('\n')
    .map((line) => /^insmod (\S+)/.exec(line)?.[1])
    .filter(Boolean);
  return [...new Set(files)];
}

async function listModules(rootfs, kernel) {
  // --show-depends also reports what is built in, as "builtin NAME": nothing to load then.
  const { stdout } = await quiet`modprobe -d ${rootfs} -S ${kernel} --show-depends --all ${modules}`;
  return moduleFiles(stdout);
}

/** Copies a module, uncompressed: busybox's insmod cannot read .xz (Debian 13) or .zst. */
async function addModule(file, folder) {
  const suffix = /\.(xz|zst|gz)$/.exec(file)?.[0] ?? '';
  const name = basename(file, suffix);
  const target = join(folder, name);
  if (suffix) await quiet`${decompressors[suffix]} ${file} > ${target}`;
  else copyFileSync(file, target);
  return name;
}

async function fillTree(tree, rootfs, kernel) {
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'lower', 'upper', 'root', 'modules']) mkdirSync(join(tree, folder));
  const { stdout: busybox } = await quiet`command -v busybox`;
  copyFileSync(busybox.trim(), join(tree, 'bin/busybox'));
  copyFileSync(join(here, 'guest-init.sh'), join(tree, 'init'));
  copyFileSync(join(here, 'guest-main.sh'), join(tree, 'guest-main.sh'));
  for (const program of ['bin/busybox', 'init']) chmodSync(join(tree, program), 0o755);
  const names = [];
  for (const file of await listModules(rootfs, kernel)) names.push(await addModule(file, join(tree, 'modules')));
  writeFileSync(join(tree, 'modules/list'), `${names.join('\n')}\n`);
}

function stampFor(image) {
  const hash = createHash('sha256').update(JSON.stringify([image.recipe, image.built, modules]));
  for (const script of [...scripts, 'initramfs.mjs']) hash.update(readFileSync(join(here, script)));
  return hash.digest('hex');
}

/** Makes the guest's initramfs when there is none or when what it is made from has changed. */
export async function ensureInitramfs(guest, image) {
  const paths = guestPaths(guest);
  const stamp = stampFor(image);
  const current = existsSync(paths.initramfsStamp) && readFileSync(paths.initramfsStamp, 'utf8');
  if (current === stamp && existsSync(paths.initramfs)) return;
  const tree = mkdtempSync(join(paths.base, 'initramfs-'));
  try {
    await fillTree(tree, paths.rootfs, image.kernel);
    const archive = `${tree}.gz`;
    await quiet`cd ${tree} && find . | cpio --quiet -o -H newc | gzip -1 > ${archive}`;
    renameSync(archive, paths.initramfs);
    writeFileSync(paths.initramfsStamp, stamp);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
