import { join } from 'node:path'

/** Everything the lab keeps between runs is below this folder; removing it is always safe while no run is active. */
export const cacheDir = process.env.EBPF_RUN_LAB_CACHE || '/var/cache/ebpf-run-lab'

/** How the names of unfinished builds in the cache begin; what has such a name and no build at work is waste. */
export const buildPrefix = '.build-'

/** What every guest gets from the host besides Debian's packages (its node), as a folder and as a disk. */
export const toolsDir = join(cacheDir, 'tools')
export const toolsDisk = join(cacheDir, 'tools.img')

/** Where the parts of one guest are. `mountPoint` stays empty: it is only mounted on inside private namespaces. */
export function guestPaths(guest, base = join(cacheDir, guest.name)) {
  return {
    base,
    rootfs: join(base, 'rootfs'),
    stamp: join(base, 'stamp.json'),
    mountPoint: join(base, 'mnt'),
    kernelFile: join(base, 'kernel'),
    disk: join(base, 'root.img'),
    initramfs: join(base, 'initramfs.cpio.gz'),
    log: join(cacheDir, `${guest.name}.log`),
  }
}
