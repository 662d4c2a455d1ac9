import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'

/** What reading a file gave: its text, or the errno name why not (`ENOENT`, `EACCES`, `EPERM`). */
export type Reading = { readonly text: string } | { readonly errno: string }

/** Reads one small file. Facts take this as an argument, so that tests can hand them another machine. */
export type Read = (path: string) => Reading

/** The reader of this machine. */
export const readHost: Read = (path) => {
  try {
    return { text: readFileSync(path, 'latin1') }
  } catch (error) {
    return { errno: errnoOf(error) }
  }
}

/**
 * All bytes of a large file, or the errno why not. The kernel hands out 4096 bytes a read (kernfs_file_read_iter in
 * fs/kernfs/file.c, seq_read in fs/seq_file.c), so 5 MB of BTF are 1347 reads: 14 ms into one buffer, 20 ms with
 * readFileSync, 130 ms with fs.promises (Node 20.20, kernel 6.18). Files of /proc have no size of their own.
 */
export function readBytes(path: string): { readonly bytes: Buffer } | { readonly errno: string } {
  try {
    const file = openSync(path, 'r')
    try {
      return { bytes: readAll(file, fstatSync(file).size || 1 << 23) }
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return { errno: errnoOf(error) }
  }
}

/** The errno name of a failed system call, `EIO` for anything that names none. */
export function errnoOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'EIO'
}

/** One byte more than expected, so that the read that finds the end needs no larger buffer. */
function readAll(file: number, expectedBytes: number): Buffer {
  let bytes = Buffer.allocUnsafeSlow(expectedBytes + 1)
  let done = 0
  for (;;) {
    if (done === bytes.length) bytes = Buffer.concat([bytes], done * 2)
    const count = readSync(file, bytes, done, bytes.length - done, null)
    if (count === 0) return bytes.subarray(0, done)
    done += count
  }
}
