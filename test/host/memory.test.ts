import { describe, expect, it } from 'vitest'

import { readMemory } from '../../src/host/memory.ts'
import { parseMounts } from '../../src/host/mounts.ts'
import { readFrom } from './fake-read.ts'

const meminfo = 'MemTotal:       16777216 kB\nMemFree: 1 kB\n'
const unified = parseMounts('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n')
const legacy = parseMounts(
  'tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n',
)

describe('readMemory', () => {
  it('is the memory of the machine without a limit', () => {
    const read = readFrom({
      '/proc/meminfo': meminfo,
      '/proc/self/cgroup': '0::/user.slice\n',
      '/sys/fs/cgroup/user.slice/memory.max': 'max\n',
    })

    expect(readMemory(read, unified).bytes).toBe(16 * 2 ** 30)
  })

  it('is the least limit of the cgroup and its ancestors', () => {
    const read = readFrom({
      '/proc/meminfo': meminfo,
      '/proc/self/cgroup': '0::/a/b\n',
      '/sys/fs/cgroup/a/b/memory.max': '2147483648\n',
      '/sys/fs/cgroup/a/memory.max': '1073741824\n',
    })

    expect(readMemory(read, unified)).toEqual({
      bytes: 2 ** 30,
      evidence: '/sys/fs/cgroup/a/memory.max',
    })
  })

  it('sees the limit of a container, whose cgroup is the root it sees', () => {
    const read = readFrom({
      '/proc/meminfo': meminfo,
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/memory.max': '536870912\n',
    })

    expect(readMemory(read, unified).bytes).toBe(2 ** 29)
  })

  it('reads version 1, where no limit is a number larger than any machine', () => {
    const files = {
      '/proc/meminfo': meminfo,
      '/proc/self/cgroup': '4:memory:/job\n1:cpu:/\n0::/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    }
    const job = '/sys/fs/cgroup/memory/job/memory.limit_in_bytes'

    expect(readMemory(readFrom(files), legacy).bytes).toBe(16 * 2 ** 30)
    expect(readMemory(readFrom({ ...files, [job]: '1048576\n' }), legacy).bytes).toBe(2 ** 20)
  })
})
