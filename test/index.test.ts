import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EbpfRunError, run, type RunOptions } from '../src/index.ts'
import { cannotRun } from './cli/run-cli.ts'
import { processesWith, watchLeftovers } from './fakes/leftovers.ts'
import { attach, makeFake, type Step } from './fakes/make-fake.ts'

vi.setConfig({ testTimeout: 60_000 })
watchLeftovers()

const serve: readonly Step[] = [...attach, { do: 'serve' }]
const three: readonly Step[] = [...attach, { do: 'events', count: 3 }, { do: 'serve' }]

const before = process.env['PATH']
const unhandled: unknown[] = []
const onUnhandled = (error: unknown) => void unhandled.push(error)

beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', onUnhandled)
})
afterEach(async () => {
  process.env['PATH'] = before
  // Node tells of a rejection after the turn in which nobody took it.
  await new Promise((resolve) => setImmediate(resolve))
  process.removeListener('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

/** tcpconnect by name of its tracepoint variant, so that another kernel does not choose another, on a fake that plays `steps`. */
function runOn(steps: readonly Step[], options: RunOptions = {}) {
  process.env['PATH'] = `${makeFake(steps).folder}:${before}`
  return run('tcpconnect', { variant: 'tracepoint', ...options })
}

/** The backends of this test that live. */
const children = () =>
  processesWith(process.env['EBPF_RUN_TEST_MARKER'] ?? '').filter(({ command }) =>
    command.includes('bpftrace.mjs'),
  )

async function failure(task: Promise<unknown>): Promise<EbpfRunError> {
  const error: unknown = await task.then(
    () => new Error('no error'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof EbpfRunError) return error
  throw error
}

async function drained(events: AsyncIterable<unknown>): Promise<readonly unknown[]> {
  const all: unknown[] = []
  for await (const event of events) all.push(event)
  return all
}

describe.skipIf(cannotRun)(`run()${cannotRun ?? ''}`, () => {
  it('attaches, hands out the events with their types, and ends with the account', async () => {
    const session = runOn(three, { count: 3 })
    await session.attached
    const seen: (number | string | null)[] = []
    for await (const event of session) seen.push(event.raddr, event.rport, event.outcome)

    expect(seen).toHaveLength(9)
    expect(seen[0]).toBe('192.0.2.7')
    expect(await session.summary).toMatchObject({
      probe: 'tcpconnect',
      variant: 'tracepoint',
      end: 'count',
      account: 'exact',
      events: { connect: { emitted: 3, delivered: 3, lost: 0 } },
    })
  })

  it('ends after its duration', async () => {
    const session = runOn(serve, { durationMs: 50 })

    expect(await session.summary).toMatchObject({ end: 'duration', account: 'exact' })
  })

  it('returns the account from stop(), and the loop ends', async () => {
    const session = runOn(three)
    await session.attached
    const loop = drained(session)
    const account = await session.stop()

    expect(account).toMatchObject({ end: 'stop', account: 'exact' })
    expect(await loop).toHaveLength(3)
    expect(await session.stop()).toBe(account)
  })

  it('ends the child when the loop is left', async () => {
    const session = runOn(three)
    for await (const event of session) {
      expect(event.event).toBe('connect')
      expect(children().length).toBeGreaterThan(0)
      break
    }

    expect(children()).toEqual([])
    expect(await session.summary).toMatchObject({ end: 'stop', account: 'exact' })
  })

  it('ends the child when the loop throws', async () => {
    const session = runOn(three)
    const loop = (async () => {
      for await (const _ of session) throw new Error('mine')
    })()

    await expect(loop).rejects.toThrow('mine')
    expect(children()).toEqual([])
  })

  it('ends in good order when its signal is aborted, and lets go of the signal', async () => {
    const controller = new AbortController()
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    const session = runOn(three, { signal: controller.signal })
    await session.attached
    controller.abort()

    expect(await drained(session)).toHaveLength(3)
    expect(await session.summary).toMatchObject({ end: 'stop', account: 'exact' })
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function))
  })

  it('attaches nothing when its signal was aborted before', async () => {
    const session = runOn(three, { signal: AbortSignal.abort() })

    expect(await drained(session)).toEqual([])
    expect(await session.summary).toMatchObject({ end: 'stop', attached_after_ms: null })
    expect((await failure(session.attached)).code).toBe('NOT_ATTACHED')
  })

  it('attaches nothing when it is stopped at once', async () => {
    const session = runOn(three)

    expect(await session.stop()).toMatchObject({ end: 'stop', attached_after_ms: null })
  })

  it('is over when it has been disposed of', async () => {
    const session = runOn(serve)
    await session.attached
    await session[Symbol.asyncDispose]()

    expect(children()).toEqual([])
    expect(await session.summary).toMatchObject({ end: 'stop' })
  })

  it('fails in its iterator, `attached` and `summary` alike when nothing can be attached', async () => {
    const session = runOn([
      { do: 'read' },
      { do: 'err', text: 'ERROR: Error loading program: kprobe:x\n' },
      { do: 'exit', code: 1 },
    ])
    const errors = await Promise.all(
      [drained(session), session.attached, session.summary].map(failure),
    )

    expect(errors.map(({ code }) => code)).toEqual(['REJECTED', 'REJECTED', 'REJECTED'])
  })

  it('leaves no rejection unhandled when only the iterator is used', async () => {
    const session = runOn([...attach, { do: 'events', count: 2 }, { do: 'exit', code: 4 }])
    const seen: unknown[] = []
    const loop = (async () => {
      for await (const event of session) seen.push(event)
    })()

    expect((await failure(loop)).code).toBe('BACKEND_DIED')
    expect(seen).toHaveLength(2)
  })
})

/** Options as JavaScript can hand them over. */
const loose = run as (name: unknown, options?: unknown) => ReturnType<typeof runOn>

describe('options that are refused before anything is started', () => {
  const cases: readonly (readonly [string, string, unknown, string, string])[] = [
    [
      'a filter of other probes',
      'execsnoop',
      { rport: [443] },
      'UNKNOWN_OPTION',
      "no option 'rport'",
    ],
    ['a name that is none', 'tcpconnect', { bogus: 1 }, 'UNKNOWN_OPTION', "no option 'bogus'"],
    ['a mistyped name', 'tcpconnect', { rprot: [443] }, 'UNKNOWN_OPTION', 'did you mean rport?'],
    [
      "the command line's name",
      'tcpconnect',
      { failed: true },
      'UNKNOWN_OPTION',
      "outcome: 'failed'",
    ],
    ['an outcome where nothing fails', 'tcpstates', { outcome: 'ok' }, 'UNKNOWN_OPTION', 'outcome'],
    ['interfaces where there are none', 'tcpconnect', { interface: ['lo'] }, 'UNKNOWN_OPTION', ''],
    ["a probe's own option", 'tcpconnlat', { min: '1ms' }, 'UNKNOWN_OPTION', 'params: { min: … }'],
    ['a mistyped one', 'tcpconnlat', { params: { mim: '1ms' } }, 'UNKNOWN_OPTION', 'min?'],
    ['a mistyped switch', 'tcpdrop', { switches: ['stak'] }, 'UNKNOWN_OPTION', 'stack?'],
    ['a name of Object', 'tcpconnect', { toString: 1 }, 'UNKNOWN_OPTION', 'toString'],
    ['another outcome', 'tcpconnect', { outcome: 'bogus' }, 'BAD_VALUE', 'one of failed, ok'],
    ['another back-end', 'tcpconnect', { backend: 'perf' }, 'BAD_VALUE', 'one of bpftrace, bcc'],
    ['a count below 1', 'tcpconnect', { count: -5 }, 'BAD_VALUE', 'found: -5'],
    ['a count that is not whole', 'tcpconnect', { count: 1.5 }, 'BAD_VALUE', 'found: 1.5'],
    ['a duration below 0', 'tcpconnect', { durationMs: -1 }, 'BAD_VALUE', 'found: -1'],
    ['a duration of 0', 'tcpconnect', { durationMs: 0 }, 'BAD_VALUE', 'found: 0'],
    [
      'a duration that no timer holds',
      'tcpconnect',
      { durationMs: 2 ** 31 },
      'BAD_VALUE',
      '24 days',
    ],
    ['a duration that is a text', 'tcpconnect', { durationMs: 'abc' }, 'BAD_VALUE', "found: 'abc'"],
    ['no number', 'tcpconnect', { drainMs: Number.NaN }, 'BAD_VALUE', 'found: NaN'],
    ['null', 'tcpconnect', { attachTimeoutMs: null }, 'BAD_VALUE', 'found: null'],
    ['bytes that are a text', 'tcpconnect', { bufferBytes: 'abc' }, 'BAD_VALUE', "found: 'abc'"],
    ['too few bytes', 'tcpconnect', { bufferBytes: 1_000 }, 'BAD_VALUE', '65536'],
    ['a variant that is no text', 'tcpconnect', { variant: 1 }, 'BAD_VALUE', 'a text'],
    ['a signal that is none', 'tcpconnect', { signal: 'TERM' }, 'BAD_VALUE', 'an AbortSignal'],
    ['a switch that is no text', 'tcpdrop', { switches: [1] }, 'BAD_VALUE', 'names'],
    ['params that are none', 'tcpconnlat', { params: 'min' }, 'BAD_VALUE', 'an object'],
    ['no boolean', 'tcpconnect', { allowUserProbes: 'yes' }, 'BAD_VALUE', 'true or false'],
    ['a port out of range', 'tcpconnect', { rport: [70_000] }, 'BAD_VALUE', '65535'],
    ['a value that is no word', 'tcpconnect', { rport: [{}] }, 'BAD_VALUE', 'found: [ {} ]'],
    ['an empty list', 'tcpconnect', { rport: [] }, 'BAD_VALUE', 'at least one'],
    ['options that are no object', 'tcpconnect', 7, 'BAD_VALUE', 'an object'],
    ['null instead of options', 'tcpconnect', null, 'BAD_VALUE', 'an object'],
    ['a summary that is none', 'tcpconnect', { summary: 'by' }, 'BAD_VALUE', 'true or an object'],
    [
      'a mistyped part',
      'tcpconnect',
      { summary: { bye: [] } },
      'UNKNOWN_OPTION',
      'did you mean by?',
    ],
    ['an interval of 0', 'tcpconnect', { summary: { intervalMs: 0 } }, 'BAD_VALUE', 'found: 0'],
    [
      '--interval elsewhere',
      'tcpconnect',
      { interval: 1 },
      'UNKNOWN_OPTION',
      'summary: { intervalMs',
    ],
    ['a sort elsewhere', 'tcpconnect', { sort: 'count' }, 'UNKNOWN_OPTION', 'summary: { sort'],
    ['a sort by no text', 'tcpconnect', { summary: { sort: 1 } }, 'BAD_VALUE', "sort: 'count'"],
    ['buckets of nothing', 'tcpconnect', { summary: { linear: '0..1s/1ms' } }, 'CONFLICT', 'hist'],
    ['a count of groups', 'tcpconnect', { summary: true, count: 1 }, 'CONFLICT', 'count'],
    ['a probe that is no text', undefined as never, {}, 'UNKNOWN_PROBE', "'undefined'"],
  ]

  it.each(cases)('%s', async (_, name, options, code, said) => {
    // No tool is here: what were started would fail otherwise.
    process.env['PATH'] = '/nonexistent'
    const session = loose(name, options)
    const errors = await Promise.all(
      [drained(session), session.attached, session.summary, session.stop()].map(failure),
    )

    expect(errors.map((error) => error.code)).toEqual([code, code, code, code])
    const [error] = errors
    const { message, expected, found, remedy } = error ?? {}
    expect(`${message}; expected: ${expected}; found: ${found}; try: ${remedy}`).toContain(said)
  })
})

describe.skipIf(cannotRun)(`options that are taken${cannotRun ?? ''}`, () => {
  it.each([
    ['one value for a list', { rport: 443, comm: 'curl' }],
    ['undefined for what is not given', { rport: undefined, bogus: undefined, count: undefined }],
    ['the least', { count: 1, bufferBytes: 65_536, drainMs: 0.5 }],
    [
      'a signal of another realm',
      { signal: { aborted: false, addEventListener() {}, removeEventListener() {} } },
    ],
  ])('%s', async (_, options) => {
    process.env['PATH'] = `${makeFake(serve).folder}:${before}`
    const session = loose('tcpconnect', { variant: 'tracepoint', ...options })
    await session.attached

    expect(await session.stop()).toMatchObject({ end: 'stop' })
  })

  it('the signals of a probe under a name of their own', async () => {
    process.env['PATH'] = `${makeFake(serve).folder}:${before}`
    const error = await failure(run('killsnoop', { signals: ['NOSUCH'] }).summary)

    expect(error).toMatchObject({ code: 'BAD_VALUE', found: '"NOSUCH"' })
  })
})
