import { join } from 'node:path';

/** Everything the lab keeps between runs is below this folder; removing it is always safe while no run is active. */
export const cacheDir = process.env.EBPF_RUN_LAB_CACHE || '/var/cache/ebpf-run-lab';

/** The folder that is shared with every guest, read-only, and holds the host's node. */
export const toolsDir = join(cacheDir, 'tools');

/** Where the parts of one guest are. `mountPoint` stays empty: it is only mounted on inside private namespaces. */
export function guestPaths(guest, base = join(cacheDir, guest.name)) {
  return {
    base,
    rootfs: join(base, 'rootfs'),
    stamp: join(base, 'stamp.json'),
    mountPoint: join(base, 'mnt'),
    initramfs: join(base, 'initramfs.cpio.gz'),
    initramfsStamp: join(base, 'initramfs.json'),
    log: join(cacheDir, `${guest.name}.log`),
  };
}
