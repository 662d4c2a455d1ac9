import { describe, expect, it } from 'vitest'

import { judgePidNamespace, readJit, readOnlineCpus } from '../../src/host/kernel.ts'
import { readLockdown } from '../../src/host/lockdown.ts'
import { findTracefs, parseMounts } from '../../src/host/mounts.ts'
import { readFamily } from '../../src/host/os-release.ts'
import { isAtLeast, parseVersion } from '../../src/host/version.ts'
import { readFrom } from './fake-read.ts'

describe('readOnlineCpus', () => {
  it.each([
    ['0\n', 1],
    ['0-3\n', 4],
    ['0-3,8,10-11\n', 7],
    ['garbage\n', 1],
  ])('counts %j as %d', (online, count) => {
    expect(readOnlineCpus(readFrom({ '/sys/devices/system/cpu/online': online }))).toBe(count)
  })
})

describe('readJit', () => {
  const path = '/proc/sys/net/core/bpf_jit_enable'

  it('tells on, off, not compiled in, and not visible apart', () => {
    expect(readJit(readFrom({ [path]: '1\n' })).is).toBe('yes')
    expect(readJit(readFrom({ [path]: '0\n' })).is).toBe('no')
    expect(readJit(readFrom({})).is).toBe('no')
    expect(readJit(readFrom({ [path]: '!EACCES' })).is).toBe('unknown')
  })
})

describe('judgePidNamespace', () => {
  it('knows the initial namespace by its inode', () => {
    expect(judgePidNamespace('pid:[4026531836]').is).toBe('yes')
    expect(judgePidNamespace('pid:[4026532201]').is).toBe('no')
    expect(judgePidNamespace(null).is).toBe('unknown')
  })
})

describe('readLockdown', () => {
  const path = '/sys/kernel/security/lockdown'

  it('minds confidentiality only', () => {
    expect(readLockdown(readFrom({ [path]: '[none] integrity confidentiality\n' }), null).is).toBe(
      'no',
    )
    expect(readLockdown(readFrom({ [path]: 'none [integrity] confidentiality\n' }), null).is).toBe(
      'no',
    )
    expect(readLockdown(readFrom({ [path]: 'none integrity [confidentiality]\n' }), null).is).toBe(
      'yes',
    )
  })

  it('takes what a private mount showed, then the command line, and else does not know', () => {
    const asked = readFrom({ '/proc/cmdline': 'quiet lockdown=confidentiality\n' })

    expect(readLockdown(readFrom({}), 'none [integrity] confidentiality').is).toBe('no')
    expect(readLockdown(asked, null).is).toBe('yes')
    expect(readLockdown(readFrom({ '/proc/cmdline': 'quiet\n' }), null).is).toBe('unknown')
  })
})

describe('findTracefs', () => {
  it('finds either usual place', () => {
    const both = 'tracefs /sys/kernel/tracing tracefs rw 0 0\n'
    const old =
      'debugfs /sys/kernel/debug debugfs rw 0 0\ntracefs /sys/kernel/debug/tracing tracefs rw 0 0\n'

    expect(findTracefs(parseMounts(both))).toBe('/sys/kernel/tracing')
    expect(findTracefs(parseMounts(old))).toBe('/sys/kernel/debug/tracing')
  })

  it('takes nothing that is hidden, elsewhere or of another type', () => {
    const hidden =
      'tracefs /sys/kernel/tracing tracefs rw 0 0\ntmpfs /sys/kernel/tracing tmpfs rw 0 0\n'

    expect(findTracefs(parseMounts(hidden))).toBeNull()
    expect(findTracefs(parseMounts('tracefs /mnt\\040x tracefs rw 0 0\n'))).toBeNull()
  })
})

describe('readFamily', () => {
  it.each([
    ['ID=debian\n', 'debian'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'debian'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'fedora'],
    ['ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', 'suse'],
    ['ID=arch\n', 'arch'],
    ['ID=alpine\n', 'alpine'],
    ['ID=nixos\n', null],
  ])('takes %j for %s', (text, family) => {
    expect(readFamily(readFrom({ '/etc/os-release': text }))).toBe(family)
  })

  it('falls back to /usr/lib/os-release', () => {
    expect(readFamily(readFrom({ '/usr/lib/os-release': 'ID=fedora\n' }))).toBe('fedora')
  })
})

describe('versions', () => {
  it.each([
    ['bpftrace v0.11.3', '0.11.3'],
    ['bpftrace v0.20.0-123-gabcdef', '0.20.0'],
    ['bpftrace 0.27', '0.27.0'],
    ['no digits', null],
  ])('reads %j as %s', (text, version) => {
    expect(parseVersion(text)).toBe(version)
  })

  it('compares by number, not by text', () => {
    expect(isAtLeast('6.18.44-fc', [5, 11])).toBe(true)
    expect(isAtLeast('5.9.0', [5, 11])).toBe(false)
    expect(isAtLeast('0.9.4', [0, 11])).toBe(false)
    expect(isAtLeast('0.11.3', [0, 11])).toBe(true)
  })
})
