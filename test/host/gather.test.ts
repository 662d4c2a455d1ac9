import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { gatherFacts } from '../../src/host/gather.ts'

const questions = {
  tracepoints: ['sock:inet_sock_set_state', 'sock:no_such_thing', '../etc:passwd'],
  functions: ['tcp_v4_connect', 'no_such_function'],
  members: ['sock.__sk_common.skc_num'],
}
const ask = (env: NodeJS.ProcessEnv, bpftracePath?: string) =>
  gatherFacts(questions, bpftracePath === undefined ? { env } : { env, bpftracePath })

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ebpf-run-host-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('gatherFacts on this machine', () => {
  it('answers every question and leaves the mounts as they were', async () => {
    const before = readFileSync('/proc/self/mounts', 'latin1')

    const facts = await ask(process.env)

    expect(readFileSync('/proc/self/mounts', 'latin1')).toBe(before)
    expect(facts.cpus).toBeGreaterThan(0)
    expect(facts.memoryBytes).toBeGreaterThan(2 ** 20)
    expect(facts.tracepoints['../etc:passwd']).toBeNull()
    expect(Object.keys(facts.functions)).toEqual(questions.functions)
    expect(Object.keys(facts.members)).toEqual(facts.btf.is === 'yes' ? questions.members : [])
    for (const fact of [facts.privileged, facts.tracefs, facts.btf, facts.kprobes, facts.fentry]) {
      expect(fact.evidence).not.toBe('')
    }
  })

  it('reads tracepoints as root, mounted or not, and tells a missing one', async ({ skip }) => {
    const facts = await ask(process.env)
    if (facts.privileged.is !== 'yes') skip(facts.privileged.evidence)

    expect(facts.tracepoints['sock:inet_sock_set_state']?.map((field) => field.name)).toContain(
      'skaddr',
    )
    expect(facts.tracepoints['sock:no_such_thing']).toBeNull()
  })

  it('says what it could not see without unshare where tracefs is not mounted', async ({
    skip,
  }) => {
    const facts = await ask({ PATH: folder })
    if (facts.tracefs.is === 'yes') skip(facts.tracefs.evidence)

    expect(facts.tools).toEqual({ setpriv: null, unshare: null })
    expect(Object.keys(facts.tracepoints)).toEqual(['../etc:passwd'])
    expect(facts.fentry.is).not.toBe('yes')
  })
})

describe('the setpriv it finds', () => {
  it("is never BusyBox's, which cannot set a parent-death signal", async () => {
    const busybox = join(folder, 'busybox')
    writeFileSync(busybox, '#!/bin/sh\n')
    chmodSync(busybox, 0o755)
    symlinkSync(busybox, join(folder, 'setpriv'))

    expect((await ask({ PATH: folder })).tools.setpriv).toBeNull()
  })
})

describe('the bpftrace it finds', () => {
  const fake = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    chmodSync(path, 0o755)
    return path
  }

  it('is none on a PATH without it', async () => {
    const facts = await ask({ PATH: '/nonexistent' })

    expect(facts.bpftrace).toEqual({
      found: { is: 'no', evidence: 'no bpftrace on PATH (/nonexistent)' },
      path: null,
      install: expect.stringContaining('bpftrace'),
      version: null,
    })
  })

  it('is the one given, with its version', async () => {
    const path = fake('given', '#!/bin/sh\necho "bpftrace v0.23.2"\n')

    expect((await ask({ PATH: '' }, path)).bpftrace).toEqual({
      found: { is: 'yes', evidence: `${path}: bpftrace v0.23.2` },
      path,
      version: '0.23.2',
    })
  })

  it('has no version when it prints none, and is not found when it cannot be run', async () => {
    const silent = fake('silent', '#!/bin/sh\nexit 1\n')
    const text = fake('text', 'not a program')
    chmodSync(text, 0o644)

    expect((await ask({ PATH: '' }, silent)).bpftrace).toMatchObject({
      path: silent,
      version: null,
    })
    expect((await ask({ PATH: '' }, text)).bpftrace).toMatchObject({ path: null, version: null })
  })
})
