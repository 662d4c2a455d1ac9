import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostNames } from '../../src/host/names.ts'

describe('the file of a namespace', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ebpf-run-names-'))
    symlinkSync('/proc/self/ns/mnt', join(folder, 'link'))
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  it.each(['mnt', 'net', 'pid'] as const)('is its inode: %s', (kind) => {
    const path = `/proc/self/ns/${kind}`
    expect(hostNames.namespace(kind, path)).toBe(statSync(path).ino)
  })

  it('may be a link to one', () => {
    expect(hostNames.namespace('mnt', join(folder, 'link'))).toBe(statSync('/proc/self/ns/mnt').ino)
  })

  it.each([
    ['mnt', '/proc/self/ns/net', 'a namespace of another kind (net)'],
    ['net', '/proc/self/ns/pid', 'a namespace of another kind (pid)'],
    ['mnt', '/proc/self/root', 'the file of no namespace'],
    ['pid', '/etc/passwd', 'the file of no namespace'],
    ['net', '/proc/self/ns/none', 'ENOENT'],
    ['net', 'no-such-name', 'ENOENT'],
    ['mnt', 'no-such-name', 'no inode and no path'],
  ] as const)('%s: %s is none', (kind, path, why) => {
    expect(hostNames.namespace(kind, path)).toBe(why)
  })
})
