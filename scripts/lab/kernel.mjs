import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { $ } from 'zx'

// How Debian compresses the kernel inside the boot image: xz up to 6.1, zstd from 6.12 on.
const formats = [
  { magic: 'fd377a585a00', command: ['xz', '-dc'] },
  { magic: '28b52ffd', command: ['zstd', '-dcq'] },
  { magic: '1f8b', command: ['gzip', '-dc'] },
]

/**
 * The compressed kernel inside a boot image, by the header which Linux' Documentation/arch/x86/boot.rst describes
 * (protocol 2.08). Its last four bytes are the size when unpacked, which no decompressor expects.
 */
export function compressedKernel(image) {
  const setupSectors = image[0x1f1]
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248)
  return image.subarray(start, start + image.readUInt32LE(0x24c) - 4)
}

/** The program that unpacks these bytes, or undefined. */
export function decompressorFor(bytes) {
  const head = bytes.subarray(0, 6).toString('hex')
  return formats.find(({ magic }) => head.startsWith(magic))?.command
}

/**
 * Writes to `target` the kernel that the guest boots. QEMU starts an uncompressed one directly (PVH, which Debian's
 * kernels support); the emulated CPU would take 2 (zstd) to 6 seconds (xz) for unpacking it at every boot.
 */
export async function makeKernel(rootfs, kernel, target) {
  const source = join(rootfs, 'boot', `vmlinuz-${kernel}`)
  const packed = compressedKernel(readFileSync(source))
  const command = decompressorFor(packed)
  const unfinished = `${target}.new`
  if (command) await $({ quiet: true, input: packed })`${command} > ${unfinished}`
  // Unknown compression: slower, but it boots as well.
  else copyFileSync(source, unfinished)
  renameSync(unfinished, target)
}
