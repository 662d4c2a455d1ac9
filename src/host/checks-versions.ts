import type { Check } from './rules.ts'
import { installRemedy } from './remedies.ts'
import type { Survey } from './survey.ts'
import { isAtLeast } from './version.ts'

const oldestBpftrace = [0, 11] as const

/** Whether bpftrace is one that our programs are written for. */
export function checkBpftraceVersion({ facts, family }: Survey): Check {
  const { version, path, found: answer } = facts.bpftrace
  const id = 'bpftrace-version'
  if (path === null) {
    return {
      id,
      status: 'unknown',
      found: 'no bpftrace',
      means: 'no version to look at',
      remedy: installRemedy('bpftrace', family),
    }
  }
  if (version === null) {
    const found = answer.is === 'unknown' ? answer.evidence : `${path} --version printed no version`
    return {
      id,
      status: 'unknown',
      found,
      means: 'programs are written per version',
      remedy: `${path} --version`,
    }
  }
  return isAtLeast(version, oldestBpftrace)
    ? { id, status: 'ok', found: version, means: '0.11 or later', remedy: null }
    : {
        id,
        status: 'blocks',
        found: version,
        means: 'programs are written for 0.11 or later',
        remedy: installRemedy('bpftrace', family),
      }
}

/** From 5.11 on BPF memory is charged to the memory cgroup, RLIMIT_MEMLOCK is not asked (kernel commit series "bpf: switch to memcg-based memory accounting"). */
const memcgSince = [5, 11] as const

/** Bytes of locked memory with which default buffers and maps fit. */
const enoughBytes = 128 * 1024 * 1024

/** Whether RLIMIT_MEMLOCK can stop a program on this kernel. */
export function checkMemlock({ facts, memlockBytes, mayRaiseLimits }: Survey): Check {
  const id = 'memlock'
  const { release } = facts.kernel
  const found = `RLIMIT_MEMLOCK ${memlockBytes === null ? 'unread' : sizeText(memlockBytes)}, kernel ${release}`
  if (isAtLeast(release, memcgSince)) {
    const means = 'the limit does not count here; a message of bpftrace about it is harmless'
    return { id, status: 'ok', found, means, remedy: null }
  }
  if (mayRaiseLimits || (memlockBytes ?? 0) >= enoughBytes) {
    return { id, status: 'ok', found, means: 'enough, or bpftrace raises it itself', remedy: null }
  }
  const means = 'programs can fail to load: their memory counts against the limit before 5.11'
  return { id, status: 'warn', found, means, remedy: 'ulimit -l unlimited' }
}

function sizeText(bytes: number): string {
  return bytes === Infinity ? 'unlimited' : `${Math.floor(bytes / 1024)} KiB`
}
