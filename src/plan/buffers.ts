import type { HostFacts } from '../host/facts.ts'
import type { Dialect } from './dialect.ts'

export interface Buffers {
  readonly transport: Dialect['transport']
  /** Pages a CPU, a power of two: bpftrace multiplies by the CPUs in both transports, bcc in a perf buffer. */
  readonly pages: number
  readonly totalBytes: number
  readonly reason: string
  /** Keys of each map of the program: how many connections or owners it keeps at a time. */
  readonly mapKeys: number
}

const pageBytes = 4096
const mebibyte = 1024 * 1024
const defaultBudget = 64 * mebibyte
const leastPages = 16
/** A key and its share of seven maps take about 600 bytes of kernel memory, taken at the start. */
const mapKeys = { most: 65_536, least: 4_096, bytes: 600, share: 400 }

/** The output buffer: a total budget divided by the CPUs. Default: 64 MiB, at most 1 % of the memory that we may use. */
export function chooseBuffers(
  facts: HostFacts,
  { transport }: Pick<Dialect, 'transport'>,
  wantedBytes: number | null,
): Buffers {
  const budget = wantedBytes ?? Math.min(defaultBudget, facts.memoryBytes / 100)
  const pages = Math.max(leastPages, 2 ** Math.floor(Math.log2(budget / pageBytes / facts.cpus)))
  return {
    transport,
    pages,
    totalBytes: pages * pageBytes * facts.cpus,
    mapKeys: clampedPower(facts.memoryBytes / mapKeys.share / mapKeys.bytes),
    reason:
      wantedBytes === null ? '64 MiB in total, at most 1 % of memory' : 'asked for with --buffer',
  }
}

function clampedPower(keys: number): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(1, keys)))
  return Math.min(mapKeys.most, Math.max(mapKeys.least, power))
}
