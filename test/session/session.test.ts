import { describe, expect, it, vi } from 'vitest'
import { attach } from '../fakes/make-fake.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { failureOf, tick, until } from './ticker.ts'

vi.setConfig({ testTimeout: 60_000 })
watchLeftovers()

describe('a run that goes well', () => {
  it('delivers every event and closes the account exactly', async () => {
    const { session, events, states } = tick([
      ...attach,
      { do: 'events', count: 7 },
      { do: 'serve' },
    ])

    await until(() => events.length === 7)
    session.stop('interrupt')
    const result = await session.ended

    expect(states).toEqual(['starting', 'attached', 'stopping', 'ended'])
    expect(result.end).toBe('interrupt')
    expect(result.account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 7, received: 7, delivered: 7, filtered: 0, lost: 0, faults: 0 } },
    })
    expect(events[0]).toMatchObject({ event: 'tick', pid: 1, comm: 'curl' })
  })

  it('counts what the kernel emitted and never handed over as lost', async () => {
    const { session, events } = tick([
      ...attach,
      { do: 'events', count: 5, lose: 3 },
      { do: 'out', text: 'Lost 2 events\n' },
      { do: 'serve' },
    ])

    await until(() => events.length === 5)
    session.stop('stop')
    const result = await session.ended

    expect(result.account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 8, received: 5, lost: 3 } },
    })
    expect(result.lostHint).toBe(2)
  })

  it('is exact with 0 emitted when nothing happened', async () => {
    const { session } = tick([...attach, { do: 'serve' }])

    await session.attached
    session.stop('duration')
    const result = await session.ended

    expect(result.account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 0, received: 0, lost: 0 } },
    })
  })

  it('ends after a number of events and counts the surplus as after the end', async () => {
    const { session, events } = tick(
      [...attach, { do: 'events', count: 5, batch: 5 }, { do: 'serve' }],
      { count: 3 },
    )

    const result = await session.ended

    expect(result.end).toBe('count')
    expect(events).toHaveLength(3)
    expect(result.account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 5, received: 5, delivered: 3, after_end: 2, lost: 0 } },
    })
  })

  it('ends by itself after its duration', async () => {
    const { session } = tick([...attach, { do: 'serve' }], { durationMs: 50 })

    expect(await session.ended).toMatchObject({ end: 'duration', account: { account: 'exact' } })
  })

  it('takes its end from the clock where the kernel has no gate', async () => {
    const { session, events } = tick([...attach, { do: 'events', count: 2 }, { do: 'serve' }], {
      gate: false,
    })

    await until(() => events.length === 2)
    session.stop('stop')

    expect((await session.ended).account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 2, delivered: 2, after_end: 0, lost: 0 } },
    })
  })

  it('keeps bytes that end no line, no field and no record', async () => {
    const { session, events } = tick([
      ...attach,
      { do: 'events', count: 1, texts: ['a\n1\t2"\\\x1f\xff\x01z'] },
      { do: 'serve' },
    ])

    await until(() => events.length === 1)
    session.stop('stop')
    await session.ended

    expect(events[0]).toMatchObject({
      comm: 'a\n1\t2"\\x5c\x1f\\xff\x01z',
      escaped: ['comm'],
    })
  })

  it('runs beside another session of the same probe, each with its own account', async () => {
    const one = tick([...attach, { do: 'events', count: 3 }, { do: 'serve' }])
    const other = tick([...attach, { do: 'events', count: 4 }, { do: 'serve' }])

    await until(() => one.events.length === 3 && other.events.length === 4)
    one.session.stop('stop')
    other.session.stop('stop')

    expect((await one.session.ended).account.events['tick']?.emitted).toBe(3)
    expect((await other.session.ended).account.events['tick']?.emitted).toBe(4)
  })
})

describe('a stop before everything is attached', () => {
  it('kills the child at once and says that nothing was attached', async () => {
    const { session, states } = tick([{ do: 'read' }, { do: 'hang' }])

    session.stop('terminate')

    expect(await session.ended).toMatchObject({ end: 'terminate', attachedAfterMs: null })
    await expect(session.attached).rejects.toMatchObject({ code: 'NOT_ATTACHED' })
    expect(states).toEqual(['starting', 'ended'])
  })

  it('is no unhandled rejection when nobody looks at attached', async () => {
    const seen: unknown[] = []
    const listen = (reason: unknown) => void seen.push(reason)
    process.on('unhandledRejection', listen)
    const { session } = tick([{ do: 'read' }, { do: 'exit', code: 1 }])

    await failureOf(session)
    await new Promise((resolve) => setImmediate(resolve))
    process.removeListener('unhandledRejection', listen)

    expect(seen).toEqual([])
  })
})

describe('a child that does not do what it should', () => {
  it('is given up when it has not attached in time', async () => {
    const { session } = tick(
      [{ do: 'read' }, { do: 'err', text: 'Looking for headers\n' }, { do: 'hang' }],
      { attachTimeoutMs: 3_000 },
    )

    const { error } = await failureOf(session)

    expect(error).toMatchObject({
      code: 'NOT_ATTACHED',
      message: 'nothing was attached within 3 s',
      detail: 'Looking for headers',
    })
  })

  it('is given up also when it says that it attaches and never proves it', async () => {
    const { session } = tick(
      [{ do: 'read' }, { do: 'out', text: 'Attaching 4 probes...\n' }, { do: 'hang' }],
      { attachTimeoutMs: 500 },
    )

    expect((await failureOf(session)).error.code).toBe('NOT_ATTACHED')
  })

  it('fails a run by its exit code, and the account stays open with what arrived', async () => {
    const { session, states } = tick([
      ...attach,
      { do: 'events', count: 5 },
      { do: 'counts' },
      { do: 'exit', code: 3 },
    ])

    const { error, result } = await failureOf(session)

    expect(error).toMatchObject({
      code: 'BACKEND_DIED',
      exitCode: 1,
      message: 'bpftrace died while running (exit code 3)',
    })
    expect(result.account).toMatchObject({
      account: 'open',
      events: { tick: { emitted: 5, received: 5, delivered: 5 } },
    })
    expect(states.at(-1)).toBe('failed')
  })

  it('fails a run when it ends with 0 although nobody asked it to', async () => {
    const { session } = tick([...attach, { do: 'counts' }, { do: 'exit', code: 0 }])

    const { error, result } = await failureOf(session)

    expect(error.code).toBe('BACKEND_DIED')
    expect(result.account.account).toBe('open')
  })

  it.each(['SIGKILL', 'SIGSEGV'] as const)('fails a run by %s, which is named', async (signal) => {
    const { session } = tick([...attach, { do: 'events', count: 2 }, { do: 'kill', signal }])

    const { error, result } = await failureOf(session)

    expect(error).toMatchObject({ code: 'BACKEND_DIED', found: signal })
    expect(result.account).toMatchObject({ account: 'open', events: { tick: { delivered: 2 } } })
  })

  it('makes a record that it cut in half a fault, not an event', async () => {
    const { session, events } = tick([
      ...attach,
      { do: 'events', count: 2 },
      { do: 'out', text: '{T}0\t123456\t1{T}\tcu' },
      { do: 'exit', code: 1 },
    ])

    const { result } = await failureOf(session)

    expect(events).toHaveLength(2)
    expect(result.account).toMatchObject({
      events: { tick: { received: 3, delivered: 2, faults: 1 } },
    })
  })

  it('goes on after a record that was damaged in the middle', async () => {
    const { session, events } = tick([
      ...attach,
      { do: 'out', text: '{T}0\t12' },
      { do: 'events', count: 2 },
      { do: 'serve' },
    ])

    await until(() => events.length === 2)
    session.stop('stop')

    expect((await session.ended).account).toMatchObject({
      events: { tick: { received: 3, delivered: 2, faults: 1 } },
    })
  })

  it('dies while the reading was paused, and the run ends all the same', async () => {
    const { session, events } = tick([
      ...attach,
      { do: 'events', count: 3 },
      { do: 'wait', ms: 300 },
      { do: 'events', count: 3 },
      { do: 'kill', signal: 'SIGKILL' },
    ])

    await until(() => events.length === 3)
    session.pause()
    const { error, result } = await failureOf(session)

    expect(error.code).toBe('BACKEND_DIED')
    expect(result.account.events['tick']?.received).toBe(6)
  })

  it('leaves a process of its own that holds its output, and the run ends all the same', async () => {
    const { session } = tick([...attach, { do: 'fork' }, { do: 'kill', signal: 'SIGKILL' }])

    expect((await failureOf(session)).error.code).toBe('BACKEND_DIED')
  })
})

describe('a child that will not end', () => {
  it('gets harder signals when it ignores SIGINT, and the account says that it is open', async () => {
    const { session, events } = tick(
      [
        ...attach,
        { do: 'ignore', signals: ['SIGURG', 'SIGINT', 'SIGTERM'] },
        { do: 'events', count: 2 },
        { do: 'hang' },
      ],
      { drainMs: 300, silenceMs: 200 },
    )

    await until(() => events.length === 2)
    session.stop('stop')
    const result = await session.ended

    expect(result.account).toMatchObject({ account: 'open', events: { tick: { delivered: 2 } } })
  })

  it('is killed at once when the end is forced', async () => {
    const { session } = tick([
      ...attach,
      { do: 'ignore', signals: ['SIGINT', 'SIGTERM', 'SIGURG'] },
      { do: 'hang' },
    ])

    await session.attached
    session.stop('interrupt')
    session.force()

    expect((await session.ended).account.account).toBe('open')
  })

  it('is killed at once also when the reading was paused', async () => {
    const { session, events } = tick([...attach, { do: 'events', count: 1 }, { do: 'serve' }])

    await until(() => events.length === 1)
    session.pause()
    session.force()

    expect((await session.ended).account.account).toBe('open')
  })
})

describe('a child that says too much', () => {
  it('may flood stderr: the events arrive and the last lines are kept', async () => {
    const { session, events, log } = tick([
      ...attach,
      { do: 'err', text: `${'noise '.repeat(20)}\n`, times: 20_000 },
      { do: 'err', text: 'the last word\n' },
      { do: 'events', count: 5 },
      { do: 'exit', code: 9 },
    ])

    const { error } = await failureOf(session)

    expect(events).toHaveLength(5)
    expect(error.detail).toMatch(/the last word$/)
    expect(error.detail?.split('\n')).toHaveLength(8)
    expect(log.filter((line) => line.startsWith('stderr: noise'))).toHaveLength(20_000)
  })

  it('may write 10 MB without a line end: it is cut, and what follows is understood', async () => {
    const { session, events, log } = tick([
      ...attach,
      { do: 'out', text: 'x'.repeat(1024), times: 10 * 1024 },
      { do: 'out', text: '\n' },
      { do: 'events', count: 3 },
      { do: 'serve' },
    ])

    await until(() => events.length === 3)
    session.stop('stop')

    expect((await session.ended).account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 3, delivered: 3, faults: 0 } },
    })
    const long = log.filter((line) => line.includes('xxxx'))
    expect(long).toHaveLength(1)
    expect(long[0]?.length).toBeLessThan(70_000)
  })

  it('may complain on stderr and go on: only a heartbeat says that it is attached', async () => {
    const { session } = tick([
      { do: 'read' },
      { do: 'err', text: '\x1b[31mERROR\x1b[0m: RLIMIT_MEMLOCK is small\n' },
      { do: 'out', text: 'Attaching 4 probes...\n\n\n' },
      { do: 'beat' },
      { do: 'serve' },
    ])

    await session.attached
    session.stop('stop')

    expect((await session.ended).account.account).toBe('exact')
  })

  it('cannot forge counts, ends or heartbeats without the token', async () => {
    const { session, events } = tick([
      ...attach,
      {
        do: 'out',
        text: '@n_7000000000000000_0_0: 99\n@z_7000000000000000: 9\n70000000000000009\t17000000000000000\nLost 9 events\n',
      },
      { do: 'events', count: 1 },
      { do: 'serve' },
    ])

    await until(() => events.length === 1)
    session.stop('stop')

    expect((await session.ended).account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 1, received: 1, lost: 0, faults: 0 } },
    })
  })
})
