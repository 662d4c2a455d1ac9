import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { encodeFrame, type Frame, layoutDigest } from '../../src/backends/recording.ts'
import { openReplay } from '../../src/backends/replay.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import type { HostFacts } from '../../src/host/facts.ts'
import { gatherFacts } from '../../src/host/gather.ts'
import { hostNames } from '../../src/host/names.ts'
import type { SummaryRequest } from '../../src/plan/grouping.ts'
import { parseFilters } from '../../src/plan/params.ts'
import { type LoadedProbe, makePlan, type Plan } from '../../src/plan/plan.ts'
import { questionsOf } from '../../src/plan/questions.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { cgroupRoot } from '../../src/session/proc-sockets.ts'
import { startSession } from '../../src/session/session.ts'

const filesFolder = fileURLToPath(new URL('../../src/backends/', import.meta.url))
const id = '5f0c9d3b1a2e4f60'.repeat(4)
/** A cat that nobody else starts meanwhile. */
const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-test-'))
const cat = join(folder, 'cat')
let probe: LoadedProbe
let facts: HostFacts
/** Why it cannot run here, in the plan's or the kernel's own words. */
let reason: string | null = null

afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(async () => {
  copyFileSync('/bin/cat', cat)
  probe = await loadProbe('execsnoop')
  facts = await gatherFacts(questionsOf(probe), { env: process.env })
  try {
    plan({})
    inCgroup('probe', () => {})
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error)
  }
})

function plan(
  filters: Readonly<Record<string, readonly string[]>>,
  summary: SummaryRequest | null = null,
): Plan {
  const request = { params: {}, variant: null, backend: null, bufferBytes: null, summary }
  return makePlan(
    probe,
    { ...request, filters: parseFilters(probe.spec, filters, null, hostNames) },
    facts,
  )
}

/** Makes a cgroup below one of ours, and takes both away when the task is done. Throws where that is not allowed. */
function inCgroup<T>(name: string, task: (path: string) => T): T {
  const root = cgroupRoot()
  if (root === null) throw new Error('cgroup v2 is not mounted')
  const outer = join(root, `ebpf-run-test-${process.pid}`)
  const path = join(outer, name)
  const clean = (): void => {
    rmdirSync(path)
    rmdirSync(outer)
  }
  mkdirSync(path, { recursive: true })
  const result = task(path)
  if (result instanceof Promise) return result.finally(clean) as T
  clean()
  return result
}

/** A shell goes into the cgroup, becomes a cat, and stays until `isSeen`: the cgroup of what is gone has no name any more. */
async function enterAndExec(cgroup: string, isSeen: (pid: number) => boolean): Promise<number> {
  const child = spawn('/bin/sh', ['-c', `echo $$ > "$0/cgroup.procs"; exec "$1"`, cgroup, cat])
  const { pid = 0 } = child
  try {
    await vi.waitFor(() => expect(isSeen(pid)).toBe(true), { timeout: 10_000 })
  } finally {
    child.stdin.end()
    await once(child, 'close')
  }
  return pid
}

const isCat =
  (events: readonly AnyEvent[]) =>
  (pid: number): boolean =>
    events.some((event) => event['pid'] === pid && event['filename'] === cat)

/** Runs the plan while something happens; the events, and the whole run as a recording. */
async function run(made: Plan, work: (events: readonly AnyEvent[]) => Promise<void>) {
  const events: AnyEvent[] = []
  const frames: Buffer[] = []
  const keep = (frame: Frame, payload?: Buffer): void =>
    void frames.push(encodeFrame(frame, payload))
  const session = startSession({
    plan: made,
    facts,
    filesFolder,
    consumer: { event: (event) => void events.push(event) },
    watcher: {
      begin: (token) =>
        keep({
          frame: 'head',
          format: 1,
          probe: made.probe.name,
          variant: made.variant.name,
          token,
          layout: layoutDigest(made.probe, made.layouts),
          started: new Date().toISOString(),
          host: { kernel: facts.kernel.release, bpftrace: facts.bpftrace.version, facts },
        }),
      bytes: (chunk) => keep({ frame: 'bytes', ms: 0, length: chunk.length }, chunk),
      container: (cgroup, name) => keep({ frame: 'container', cgroup, name }),
    },
    durationMs: null,
    count: null,
    drainMs: 5_000,
    attachTimeoutMs: 60_000,
  })
  await session.attached
  await work(events)
  session.stop('stop')
  const result = await session.ended
  return { events, recording: Buffer.concat(frames), result }
}

type Ran = Awaited<ReturnType<typeof run>>

describe('the container of an event', () => {
  test('is that of the cgroup in which it happens, live and in a replay', async (context) => {
    if (reason !== null) return context.skip(reason)
    let cgroup = ''
    let pid = 0
    const { events, recording } = await run(plan({}), (seen) =>
      inCgroup(`docker-${id}.scope`, async (path) => {
        cgroup = String(statSync(path, { bigint: true }).ino)
        pid = await enterAndExec(path, isCat(seen))
      }),
    )
    const replayed: AnyEvent[] = []
    openReplay(recording, probe.spec).play((event) => {
      replayed.push(event)
      return true
    })

    for (const each of [events, replayed]) {
      const own = each.filter((event) => event['pid'] === pid)
      expect(own).toEqual([
        expect.objectContaining({ filename: '/bin/sh', container: null }),
        expect.objectContaining({ filename: cat, cgroup, container: id }),
      ])
    }
  })

  test('can be asked for by its beginning', async (context) => {
    if (reason !== null) return context.skip(reason)
    const { events } = await run(plan({ container: [id.slice(0, 12)] }), async (seen) => {
      await inCgroup('lxc.payload.web', (path) => enterAndExec(path, () => true))
      // So soon after it nobody looks for new cgroups again.
      await setTimeout(2_000)
      await inCgroup(`docker-${id}.scope`, (path) => enterAndExec(path, isCat(seen)))
    })

    expect(events).toEqual([expect.objectContaining({ filename: cat, container: id })])
  })

  test('can be asked for of what is counted in the kernel, and what is of others is in the account', async (context) => {
    if (reason !== null) return context.skip(reason)
    const of = (containers: readonly string[]): Promise<Ran> =>
      run(
        plan({ container: containers }, { by: ['filename'], histogram: null, intervalMs: null }),
        async () => {
          for (const [name, times] of [
            ['lxc.payload.web', 1],
            [`docker-${id}.scope`, 2],
          ] as const)
            await inCgroup(name, async (path) => {
              for (let nth = 0; nth < times; nth += 1) await enterAndExec(path, () => true)
              await setTimeout(2_000)
            })
        },
      )
    const wanted = await of([id.slice(0, 12)])
    expect(wanted.events).toEqual([expect.objectContaining({ filename: cat, count: 2 })])
    expect(wanted.events[0]).not.toHaveProperty('container')
    const { delivered, filtered, lost } = wanted.result.account.events['exec'] ?? {}
    expect({ delivered, lost }).toEqual({ delivered: 2, lost: 0 })
    // Each shell before it became a cat, and the other container's.
    expect(filtered).toBeGreaterThanOrEqual(4)

    const others = await of([`!${id.slice(0, 12)}`, '!web'])
    expect(others.events).toContainEqual(expect.objectContaining({ filename: '/bin/sh' }))
    expect(others.events.map(({ filename }) => filename)).not.toContain(cat)
  })

  test('groups what is counted in the kernel, also when nobody looks at it while it is there', async (context) => {
    if (reason !== null) return context.skip(reason)
    const by = ['container', 'filename']
    const made = plan({}, { by, histogram: null, intervalMs: null })
    let ids: readonly string[] = []
    const { events } = await run(made, async () => {
      await inCgroup(`docker-${id}.scope`, async (path) => {
        await enterAndExec(path, () => true)
        await setTimeout(2_000)
        ids = [String(statSync(path, { bigint: true }).ino)]
      })
      await inCgroup(`libpod-${id}.scope`, async (path) => {
        await enterAndExec(path, () => true)
        await setTimeout(2_000)
        ids = [...ids, String(statSync(path, { bigint: true }).ino)]
      })
    })

    expect(new Set(ids).size).toBe(2)
    expect(events.filter(({ container }) => container === id)).toEqual([
      expect.objectContaining({ filename: cat, count: 2 }),
    ])
  })
})
