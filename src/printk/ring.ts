/*
 * Pages of the kernel's trace ring buffer, as per_cpu/cpuN/trace_pipe_raw hands them out (kernel/trace/ring_buffer.c and
 * events/header_event). Little endian, as x86-64, arm64 and riscv64 are.
 *
 *   page:  u64 time, long commit (length of the data, with flags in its high bits), data
 *   event: u32 type_len:5 time_delta:27, then what type_len says
 */

/** Where the data of a page begins, its size with that, and the width of the length before it; from events/header_page. */
export interface PageFormat {
  readonly dataOffset: number
  readonly bytes: number
}

/** One record of a page: when it was written, by the trace clock, and its bytes. */
export interface RingRecord {
  readonly ktime: bigint
  readonly data: Buffer
}

const padding = 29
const timeExtend = 30
const timeStamp = 31
const deltaBits = 27n
/** Above these stand the flags of missed events. */
const lengthMask = 0x000f_ffff
/** Absolute times have 59 bits; what is above is that of the page. */
const stampMask = (1n << 59n) - 1n

/** `field: char data; offset:16; size:4080;` of events/header_page; null when it says something else. */
export function readPageFormat(text: string): PageFormat | null {
  const [, offset, size] = /\bdata;\s*offset:(\d{1,4});\s*size:(\d{1,8});/.exec(text) ?? []
  if (offset === undefined || size === undefined) return null
  return { dataOffset: Number(offset), bytes: Number(offset) + Number(size) }
}

/** The records of one page, in the order in which they were written. A length that does not fit ends the page: RangeError. */
export function* recordsOf(page: Buffer, { dataOffset }: PageFormat): Generator<RingRecord> {
  if (page.length < dataOffset) return
  let ktime = page.readBigUInt64LE(0)
  const end = dataOffset + (page.readUInt32LE(8) & lengthMask)
  if (end > page.length) throw new RangeError(`a page of ${page.length} bytes claims ${end}`)
  for (let at = dataOffset; at + 4 <= end;) {
    const word = page.readUInt32LE(at)
    const type = word & 31
    const delta = BigInt(word >>> 5)
    if (type === padding) {
      // Without a delta nothing follows on this page.
      if (delta === 0n) return
      at += 4 + page.readUInt32LE(at + 4)
    } else if (type === timeExtend || type === timeStamp) {
      const time = (BigInt(page.readUInt32LE(at + 4)) << deltaBits) + delta
      ktime = type === timeExtend ? ktime + time : (ktime & ~stampMask) | time
      at += 8
    } else {
      ktime += delta
      const isLong = type === 0
      const length = isLong ? page.readUInt32LE(at + 4) - 4 : type * 4
      const from = at + (isLong ? 8 : 4)
      if (length < 0 || from + length > end)
        throw new RangeError(`a record of ${length} bytes at ${at} of ${end}`)
      yield { ktime, data: page.subarray(from, from + length) }
      at = from + ((length + 3) & ~3)
    }
  }
}
