import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findBcc, findHeaders } from '../../src/host/bcc.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ebpf-run-bcc-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const python = (text: string) => {
  const path = join(folder, 'python3')
  writeFileSync(path, `#!/bin/sh\n[ "$1" = -I ] || exit 9\n${text}\n`)
  chmodSync(path, 0o755)
  return findBcc({ PATH: folder })
}

describe('the Python with bcc', () => {
  it("is the distribution's own, or else the one on PATH, with its version", async () => {
    const { found, python: path, version } = await python('echo 0.31.0+ds')

    expect(found.is).toBe('yes')
    expect(found.evidence).toContain(`${path}: bcc `)
    expect(version).toMatch(/^0\.\d+\.\d+$/)
  })

  it('is none where none can import it, and each says why', async () => {
    const { found, python: path } = await python('echo "No module named bcc" >&2; exit 1')

    if (path !== null) return expect(path).toBe('/usr/bin/python3')
    expect(found).toMatchObject({ is: 'no' })
    expect(found.evidence).toContain('/usr/bin/python3: ')
    expect(found.evidence).toContain(`${folder}/python3: No module named bcc`)
  })
})

it('headers are not there for a kernel that nobody has', () => {
  const headers = findHeaders('0.0.0-nobody')

  if (headers.is === 'yes') expect(headers.evidence).toBe('/sys/kernel/kheaders.tar.xz')
  else expect(headers.evidence).toContain('/lib/modules/0.0.0-nobody/build')
})
