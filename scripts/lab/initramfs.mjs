import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { $ } from 'zx'
import { buildPrefix, cacheDir } from './paths.mjs'

const quiet = $({ quiet: true })
const here = fileURLToPath(new URL('.', import.meta.url))

// What the guest needs before it sees its root file system (some kernels have part of it built in), then its devices
// and what makes networks and loss on them.
const modules = [
  ...['virtio_pci', 'virtio_blk', 'ext4', 'overlay', '9pnet_virtio', '9p'],
  ...['virtio_net', 'virtio_rng', 'sch_netem', 'veth'],
]
const decompressors = { '.xz': ['xz', '-dc'], '.zst': ['zstd', '-dcq'], '.gz': ['gzip', '-dc'] }

/** The files to load, in order and each once, from the output of `modprobe --show-depends` for all modules. */
export function moduleFiles(showDepends) {
  const files = showDepends
    .split('\n')
    .map((line) => /^insmod (\S+)/.exec(line)?.[1])
    .filter(Boolean)
  return [...new Set(files)]
}

async function listModules(rootfs, kernel) {
  // --show-depends also reports what is built in, as "builtin NAME": nothing to load then.
  const { stdout } = await quiet`modprobe -d ${rootfs} -S ${kernel} --show-depends --all ${modules}`
  return moduleFiles(stdout)
}

/** Copies a module, uncompressed: busybox's insmod cannot read .xz (Debian 13) or .zst. */
async function addModule(file, folder) {
  const suffix = /\.(xz|zst|gz)$/.exec(file)?.[0] ?? ''
  const name = basename(file, suffix)
  const target = join(folder, name)
  if (suffix) await quiet`${decompressors[suffix]} ${file} > ${target}`
  else copyFileSync(file, target)
  return name
}

async function fillTree(tree, rootfs, kernel) {
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'lower', 'upper', 'root', 'modules'])
    mkdirSync(join(tree, folder))
  const { stdout: busybox } = await quiet`command -v busybox`
  copyFileSync(busybox.trim(), join(tree, 'bin/busybox'))
  copyFileSync(join(here, 'guest-init.sh'), join(tree, 'init'))
  copyFileSync(join(here, 'guest-main.sh'), join(tree, 'guest-main.sh'))
  for (const program of ['bin/busybox', 'init']) chmodSync(join(tree, program), 0o755)
  const names = []
  for (const file of await listModules(rootfs, kernel))
    names.push(await addModule(file, join(tree, 'modules')))
  writeFileSync(join(tree, 'modules/list'), `${names.join('\n')}\n`)
}

/** Makes the initramfs of a guest whose root file system is ready. */
export async function makeInitramfs(rootfs, kernel, target) {
  const tree = mkdtempSync(join(cacheDir, `${buildPrefix}initramfs-`))
  try {
    await fillTree(tree, rootfs, kernel)
    const archive = `${tree}.gz`
    await quiet`cd ${tree} && find . | cpio --quiet -o -H newc | gzip -1 > ${archive}`
    renameSync(archive, target)
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}
