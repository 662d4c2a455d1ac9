import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { processesWith, watchLeftovers } from '../fakes/leftovers.ts'
import { startCli } from './run-cli.ts'

watchLeftovers()

/** A PATH whose bpftrace takes ten minutes to say its version, in a process of its own. */
function slowBpftrace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fake-'))
  const path = join(folder, 'bpftrace')
  writeFileSync(path, '#!/bin/sh\n/bin/sleep 600\necho bpftrace v0.17.0\n')
  chmodSync(path, 0o755)
  return `${folder}:${process.env['PATH']}`
}

const sleeping = () =>
  processesWith(process.env['EBPF_RUN_TEST_MARKER'] ?? '').some(({ command }) =>
    command.startsWith('/bin/sleep'),
  )

describe.each(['tcpconnect', 'plan tcpconnect', 'print tcpconnect'])(
  'while facts are gathered: ebpf-run %s',
  (line) => {
    it.each([
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const)('%s ends it with status %i, and what it had started', async (signal, status) => {
      const running = startCli(line.split(' '), { env: { PATH: slowBpftrace() } })
      while (!sleeping()) await sleep(10)

      running.process.kill(signal)
      const outcome = await running.outcome

      expect(outcome).toMatchObject({ code: status, signal: null, stdout: '', stderr: '' })
      // It has been killed by now; that it is gone the kernel says a moment later.
      await vi.waitFor(() => expect(sleeping()).toBe(false), { timeout: 2000, interval: 10 })
    })
  },
)
