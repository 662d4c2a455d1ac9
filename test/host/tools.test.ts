import { chmodSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readFamily } from '../../src/host/os-release.ts'
import { readHost } from '../../src/host/read.ts'
import { installRemedy } from '../../src/host/remedies.ts'
import { readBpftrace } from '../../src/host/tools.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'

const place = watchLeftovers()

/** A program of shell text. */
function program(text: string): string {
  const path = place.file('bpftrace')
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}

describe('bpftrace --version', () => {
  it('tells the version', async () => {
    const path = program('echo bpftrace v0.17.0')

    expect(await readBpftrace(path, process.env)).toEqual({
      found: { is: 'yes', evidence: `${path}: bpftrace v0.17.0` },
      path,
      version: '0.17.0',
    })
  })

  it.each(['exec sleep 600', "trap '' TERM; while :; do :; done"])(
    'is not waited for for ever: %s',
    async (text) => {
      const path = program(text)

      expect(await readBpftrace(path, process.env, 300)).toEqual({
        found: { is: 'unknown', evidence: `${path} --version did not answer within 0.3 s` },
        path,
        version: null,
      })
    },
  )

  it.each([undefined, '/no/such/bpftrace'])(
    'cannot be asked of one that is not there, and is told how to install it: %s',
    async (given) => {
      expect(await readBpftrace(given, { PATH: '/no/such' })).toMatchObject({
        found: { is: 'no' },
        path: null,
        install: installRemedy('bpftrace', readFamily(readHost)),
      })
    },
  )

  it('may fail and say nothing', async () => {
    expect(await readBpftrace(program('exit 3'), process.env)).toMatchObject({
      found: { is: 'yes' },
      version: null,
    })
  })
})
