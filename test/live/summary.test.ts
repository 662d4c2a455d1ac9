import { once } from 'node:events'
import { type AddressInfo, createServer, connect, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { gatherFacts } from '../../src/host/gather.ts'
import { run as runProbe } from '../../src/index.ts'
import type { HostFacts } from '../../src/host/facts.ts'
import { parseFilters } from '../../src/plan/params.ts'
import { questionsOf } from '../../src/plan/questions.ts'
import { type LoadedProbe, makePlan, type Plan } from '../../src/plan/plan.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { startSession } from '../../src/session/session.ts'

const filesFolder = fileURLToPath(new URL('../../src/backends/', import.meta.url))
const noNames = {
  user: () => null,
  cgroup: () => null,
  namespace: () => 'none',
  device: () => null,
}
let server: Server
let port = 0
let probe: LoadedProbe
let facts: HostFacts
/** Why it cannot run here, in the plan's own words. */
let reason: string | null = null

beforeAll(async () => {
  server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
  probe = await loadProbe('tcpconnect')
  facts = await gatherFacts(questionsOf(probe), { env: process.env })
  try {
    plan([], null)
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error)
  }
})
afterAll(() => server.close())

function plan(
  by: readonly string[],
  histogram: string | null,
  linear?: string,
  more: Readonly<Record<string, readonly string[]>> = {},
): Plan {
  const filters = parseFilters(probe.spec, { rport: [String(port)], ...more }, null, noNames)
  const summary = { by, histogram, linear: linear ?? null, intervalMs: null }
  return makePlan(
    probe,
    { filters, params: {}, variant: null, backend: null, bufferBytes: null, summary },
    facts,
  )
}

function start(made: Plan) {
  const events: AnyEvent[] = []
  const session = startSession({
    plan: made,
    facts,
    filesFolder,
    consumer: { event: (event) => void events.push(event) },
    watcher: {},
    durationMs: null,
    count: null,
    drainMs: 5_000,
    attachTimeoutMs: 60_000,
  })
  const end = async () => {
    session.stop('stop')
    const { account, unplacedValues } = await session.ended
    return { events, account, unplacedValues }
  }
  return { session, end }
}

async function connectTimes(times: number): Promise<void> {
  for (let at = 0; at < times; at += 1)
    await new Promise<void>((resolve) => connect(port, '127.0.0.1').once('close', () => resolve()))
}

/** Connects so often, one after the other, while the plan runs. */
async function run(made: Plan, connects: number) {
  const { session, end } = start(made)
  await session.attached
  await connectTimes(connects)
  return end()
}

describe('counting in the kernel', () => {
  test('counts every connect once, in its group', async (context) => {
    if (reason !== null) return context.skip(reason)
    const { events, account } = await run(plan(['rport', 'comm'], null), 23)

    expect(events.reduce((sum, event) => sum + Number(event['count']), 0)).toBe(23)
    expect(events.every((event) => event['rport'] === port)).toBe(true)
    expect(account).toMatchObject({
      account: 'exact',
      events: { connect: { emitted: 23, received: 23, delivered: 23, lost: 0 } },
    })
  })

  test.each([
    ['.', 7],
    ['^no name of ours$', 0],
  ])('counts those whose command name fits --comm-regex %s', async (regex, wanted) => {
    const context = { skip: reason }
    if (context.skip !== null) return
    const made = plan([], null, undefined, { 'comm-regex': [regex] })
    const { events, account } = await run(made, 7)

    expect(events.reduce((sum, event) => sum + Number(event['count']), 0)).toBe(wanted)
    expect(events.every((event) => !('comm' in event))).toBe(true)
    expect(account).toMatchObject({
      account: 'exact',
      events: { connect: { emitted: 7, delivered: wanted, filtered: 7 - wanted, lost: 0 } },
    })
  })

  test('counts what one CPU ran, and what the others did', async (context) => {
    if (reason !== null) return context.skip(reason)
    const plans = ['0', '!0'].map((cpu) => plan([], null, undefined, { cpu: [cpu] }))
    for (const { filters } of plans)
      expect(filters.map(({ applied }) => applied)).toEqual(['kernel', 'kernel'])
    const both = plans.map(start)
    await Promise.all(both.map(({ session }) => session.attached))
    await connectTimes(10)
    const ended = await Promise.all(both.map(({ end }) => end()))
    const counts = ended.flatMap(({ events }) => events.map((event) => Number(event['count'])))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10)
  })

  test('draws a histogram whose buckets add up', async (context) => {
    if (reason !== null) return context.skip(reason)
    const made = plan([], 'duration_ns')
    const { events } = await run(made, 11)

    const buckets = events[0]?.['buckets'] as readonly { count: number }[]
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(11)
  })

  test('draws a linear histogram that agrees with the sum', async (context) => {
    if (reason !== null) return context.skip(reason)
    const { events } = await run(plan([], 'duration_ns', '0..10s/1s'), 11)
    const narrow = await run(plan([], 'duration_ns', '1ns..2ns/1ns'), 11)

    expect(events[0]?.['buckets']).toEqual([{ ge: 0, lt: 1_000_000_000, count: 11 }])
    expect(narrow.events[0]?.['buckets']).toEqual([{ ge: 2, lt: null, count: 11 }])
  })

  test('says how many values no bucket had room for', async (context) => {
    if (reason !== null) return context.skip(reason)
    const made = plan(['comm'], 'duration_ns', '0..1ms/1us')
    const { events, account, unplacedValues } = await run(
      { ...made, buffers: { ...made.buffers, mapKeys: 2 } },
      47,
    )
    const buckets = events.flatMap(
      (event) => event['buckets'] as readonly { readonly count: number }[],
    )

    expect(account).toMatchObject({
      account: 'exact',
      events: { connect: { emitted: 47, received: 47, lost: 0 } },
    })
    // Each CPU counts in the same two buckets: all others are refused.
    expect(buckets.length).toBeLessThanOrEqual(2)
    expect(unplacedValues).toBe(47 - buckets.reduce((sum, { count }) => sum + count, 0))
    expect(unplacedValues).toBeGreaterThan(0)
  })

  test('gives the library groups, with the fields that were asked for', async (context) => {
    if (reason !== null) return context.skip(reason)
    const running = runProbe('tcpconnect', {
      rport: port,
      summary: { by: ['rport'], hist: 'duration_ns', linear: '0..10s/1s' },
    })
    await running.attached
    for (let at = 0; at < 7; at += 1)
      await new Promise<void>((resolve) =>
        connect(port, '127.0.0.1').once('close', () => resolve()),
      )
    const { account } = await running.stop()
    const groups: AnyEvent[] = []
    for await (const group of running) groups.push(group)

    expect(account).toBe('exact')
    expect(groups).toMatchObject([
      { event: 'connect', rport: port, count: 7, buckets: [{ ge: 0, lt: 1e9, count: 7 }] },
    ])
  })

  test('counts what a filter for a process leaves out because nobody knows whose it is', async (context) => {
    if (reason !== null) return context.skip(reason)
    // It stands before the run, and its states change while that sees them.
    const standing = createServer((socket) => socket.resume())
    await new Promise<void>((resolve) => standing.listen(0, '127.0.0.1', resolve))
    const own = (standing.address() as AddressInfo).port
    const client = connect(own, '127.0.0.1')
    await once(client, 'connect')
    const running = runProbe('tcpstates', {
      pid: process.pid,
      rport: own,
      summary: { by: ['new_state'] },
    })
    await running.attached
    client.end()
    await once(client, 'close')
    const { account, unowned, events, notes } = await running.stop()
    const again = connect(own, '127.0.0.1')
    await once(again, 'connect')
    const others = runProbe('tcpstates', {
      pid: `!${process.pid}`,
      rport: own,
      summary: { by: ['new_state'] },
    })
    await others.attached
    again.end()
    await once(again, 'close')
    const ofNobody = await others.stop()
    standing.close()

    // Those of nobody are no process's that is left out: they are in their groups.
    expect(ofNobody.unowned).toBe(0)
    expect(Object.values(ofNobody.events)[0]?.emitted).toBeGreaterThan(0)

    expect(account).toBe('exact')
    expect(unowned).toBeGreaterThan(0)
    expect(Object.values(events).map(({ emitted }) => emitted)).toEqual([0])
    expect(notes.join()).toContain(`${unowned} events are in no group`)
  })

  test('says exactly how many did not fit into a full map', async (context) => {
    if (reason !== null) return context.skip(reason)
    const made = plan(['lport'], null)
    const { events, account } = await run({ ...made, buffers: { ...made.buffers, mapKeys: 5 } }, 13)

    expect(events).toHaveLength(5)
    expect(account).toMatchObject({
      account: 'exact',
      events: { connect: { emitted: 13, received: 5, lost: 8 } },
    })
  })
})
