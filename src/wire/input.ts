/** The bytes under way: what the last chunk left unfinished, and the new chunk. */
export interface Input {
  /** Behind `length` there are zeros, more than a token's. */
  readonly bytes: Uint8Array
  readonly words: DataView
  readonly length: number
  append(chunk: Uint8Array): void
  /** Drops everything before `at`. */
  drop(at: number): void
  /** All of it, one character a byte. */
  text(): string
}

/** Zeros behind the input: reading for a token may run past the end, and meets nothing. */
const padding = 128

export function createInput(): Input {
  let bytes = Buffer.alloc(256 * 1024)
  let words = viewOf(bytes)
  let length = 0
  return {
    get bytes() {
      return bytes
    },
    get words() {
      return words
    },
    get length() {
      return length
    },
    append(chunk) {
      const needed = length + chunk.length + padding
      if (needed > bytes.length) {
        const larger = Buffer.alloc(needed * 2)
        larger.set(bytes.subarray(0, length))
        bytes = larger
        words = viewOf(bytes)
      }
      bytes.set(chunk, length)
      length += chunk.length
      bytes.fill(0, length, length + padding)
    },
    drop(at) {
      bytes.copyWithin(0, at, length)
      length -= at
      bytes.fill(0, length, length + padding)
    },
    text: () => bytes.toString('latin1', 0, length),
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
