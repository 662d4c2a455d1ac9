import { maxLength } from './framing.ts'

/**
 * NDJSON lines of one event type that follow each other, as bytes in one buffer, handed over together. They are
 * handed over when anything else of the stream is told, when the type changes, when the buffer is full, and
 * after each chunk.
 */
export interface LineBatch {
  /** Room for the lines; the fast way writes here by itself. */
  readonly output: Buffer
  /** Makes room for one record's line of `type`, whose constant parts have at most `extra` bytes; where it goes. */
  open(type: string, extra: number): number
  /** A line was written, up to `end`. */
  close(end: number): void
  /** One event as JSON text, without a line end. */
  add(json: string, type: string): void
  flush(): void
}

const outputBytes = 512 * 1024

/** `lines` is valid until it returns. */
type TakeLines = (lines: Buffer, type: string, count: number) => void

export function createLineBatch(take: TakeLines): LineBatch {
  const output = Buffer.allocUnsafeSlow(outputBytes)
  let end = 0
  let count = 0
  let current = ''

  const flush = () => {
    if (count === 0) return
    const lines = output.subarray(0, end)
    const taken = count
    end = 0
    count = 0
    take(lines, current, taken)
  }
  const open = (type: string, extra: number) => {
    if (type !== current || end + maxLength + extra > outputBytes) flush()
    current = type
    return end
  }

  return {
    output,
    open,
    close(next) {
      end = next
      count += 1
    },
    add(json, type) {
      const size = Buffer.byteLength(json) + 1
      const at = open(type, size)
      if (size > outputBytes) {
        take(Buffer.from(`${json}\n`), type, 1)
        return
      }
      output.write(json, at, 'utf8')
      output[at + size - 1] = lineEnd
      end = at + size
      count += 1
    },
    flush,
  }
}

const lineEnd = 0x0a
