import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { $ } from 'zx'
import { findMirror } from './mirror.mjs'

const packages = [
  'bpftrace',
  'python3-bpfcc',
  'bpfcc-tools',
  'linux-image-amd64',
  'linux-headers-amd64',
  'python3',
  'iproute2',
  'iptables',
  'nftables',
  'netcat-openbsd',
  'kmod',
  'procps',
  'util-linux',
  'libcap2-bin',
]

// Never used in a guest. Leaving them out of the unpacking saves a third of the kernel's modules.
const excluded = [
  '/usr/share/man/*',
  '/usr/share/locale/*',
  '/usr/share/doc/*',
  '*/kernel/drivers/gpu/*',
  '*/kernel/drivers/media/*',
  '*/kernel/drivers/staging/*',
  '*/kernel/drivers/net/wireless/*',
  '*/kernel/sound/*',
]

/** mmdebstrap's options for a guest, which may ask for `packages` of its own. */
const optionsFor = (guest) => [
  '--variant=minbase',
  '--format=directory',
  `--include=${[...packages, ...(guest.packages ?? [])].join(',')}`,
  // The index of an unstable or no longer supported release on a mirror is often past its date.
  '--aptopt=Acquire::Check-Valid-Until "false"',
  '--aptopt=Acquire::Languages "none"',
  ...excluded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
]

/** Identifies how a root file system is made: another value means that the cached one is out of date. */
export function recipeHash(guest) {
  return createHash('sha256')
    .update(JSON.stringify([guest.suite, optionsFor(guest)]))
    .digest('hex')
    .slice(0, 16)
}

/** Makes the guest's root file system in the folder `target`, which must not exist. */
export async function makeRootfs(guest, target, log) {
  const source = `deb ${await findMirror()} ${guest.suite} main`
  // The namespaces take every mount and process of the build with them, however it ends; pdeathsig ends it with us.
  // INITRD=No: Debian's own initramfs is never booted here and would cost half a minute.
  await $({ quiet: true })`exec env INITRD=No DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
    mmdebstrap ${optionsFor(guest)} ${guest.suite} ${target} ${source} > ${log} 2>&1 < /dev/null`
}

/** What a root file system holds: the kernel's release and the versions of the tracers, as their packages say. */
export async function inspectRootfs(rootfs) {
  const [kernel] = readdirSync(join(rootfs, 'lib/modules'))
  const { stdout } = await $({
    quiet: true,
  })`dpkg-query --admindir=${join(rootfs, 'var/lib/dpkg')} \
    -W -f ${'${Package}=${Version}\n'} bpftrace python3-bpfcc iptables nftables`
  const versions = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')),
  )
  return { kernel, versions }
}
