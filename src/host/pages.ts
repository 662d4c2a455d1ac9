import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * Bytes of which only parts are looked at: a buffer, or a file of which the pages that are asked for are read. New memory is dear:
 * each of its pages is a fault, which costs more than the read.
 */
export interface Pages {
  readonly length: number
  /** A number of 32 bits, little-endian, at a byte; 0 where there is none. */
  word(at: number): number
  /** The text that begins at a byte and ends with NUL. */
  text(at: number): string
  /** These bytes, fewer where it ends before. */
  bytes(from: number, to: number): Buffer
}

/** Pages of a file, which stays open until `close`. */
export interface FilePages extends Pages {
  /** User id of the owner, the mode, and when it was written. */
  readonly uid: number
  readonly mode: number
  readonly mtimeMs: number
  close(): void
}

/** The kernel hands out no more than this of its own files at once (kernfs_file_read_iter in fs/kernfs/file.c). */
const pageBytes = 4096

export function pagesOf(buffer: Buffer): Pages {
  return {
    length: buffer.length,
    word: (at) => (at >= 0 && at + 4 <= buffer.length ? buffer.readUInt32LE(at) : 0),
    text: (at) => buffer.toString('latin1', at, endOf(buffer.indexOf(0, at), buffer.length)),
    bytes: (from, to) => buffer.subarray(from, to),
  }
}

/** Opens a file. Throws the error of the system call. */
export function openPages(path: string): FilePages {
  const file = openSync(path, 'r')
  const { size: length, uid, mode, mtimeMs } = fstatSync(file)
  const known = new Map<number, Buffer>()
  const page = (number: number): Buffer => {
    const kept = known.get(number)
    if (kept !== undefined) return kept
    const read = readAt(file, number * pageBytes, pageBytes)
    known.set(number, read)
    return read
  }
  const bytes = (from: number, to: number): Buffer => {
    const end = Math.min(to, length)
    if (end - from > longRead) return readAt(file, from, end - from)
    const parts: Buffer[] = []
    for (let at = Math.max(from, 0); at < end;) {
      const next = Math.min((Math.floor(at / pageBytes) + 1) * pageBytes, end)
      parts.push(
        page(Math.floor(at / pageBytes)).subarray(at % pageBytes, (at % pageBytes) + next - at),
      )
      at = next
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
  }
  return {
    length,
    uid,
    mode,
    mtimeMs,
    bytes,
    word(at) {
      const word = bytes(at, at + 4)
      return word.length === 4 ? word.readUInt32LE(0) : 0
    },
    text(at) {
      let text = ''
      for (let from = at; from < length;) {
        const some = bytes(from, (Math.floor(from / pageBytes) + 1) * pageBytes)
        const end = some.indexOf(0)
        text += some.toString('latin1', 0, endOf(end, some.length))
        if (end !== -1) break
        from += some.length
      }
      return text
    },
    close() {
      closeSync(file)
    },
  }
}

/** More than that is not kept in pages. */
const longRead = 16 * pageBytes

/** Where a search ended: at what was found, or at the end. */
const endOf = (found: number, length: number): number => (found === -1 ? length : found)

function readAt(file: number, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  let done = 0
  while (done < length) {
    const count = readSync(file, bytes, done, length - done, from + done)
    if (count === 0) break
    done += count
  }
  return bytes.subarray(0, done)
}
