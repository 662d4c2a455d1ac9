import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import type { SummaryRequest } from '../../src/plan/grouping.ts'
import { makePlan } from '../../src/plan/plan.ts'
import type { LoadedProbe } from '../../src/plan/plan.ts'
import { cStruct } from '../../src/schema/c-struct.ts'
import { common, socket } from '../../src/schema/common.ts'
import { type AnyEvent, defineProbe } from '../../src/schema/define.ts'
import { startSession } from '../../src/session/session.ts'
import type { SessionOptions } from '../../src/session/types.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { type BccStep, type FakeBcc, makeFakeBcc, realPython } from '../fakes/make-fake-bcc.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { failureOf, until } from './ticker.ts'

vi.setConfig({ testTimeout: 60_000 })
watchLeftovers()

const probe: LoadedProbe = {
  spec: defineProbe({
    name: 'ticker',
    summary: 'ticks',
    example: 'ebpf-run ticker',
    owner: 'task',
    events: {
      tick: {
        doc: 'one tick',
        fields: {
          time: common.time,
          ktime_ns: common.ktime_ns,
          pid: { ...common.pid, nullAs: -1 },
          comm: common.comm,
          raddr: socket.raddr,
          family: socket.family,
          rport: socket.rport,
          result: { kind: 'result', nullAs: 1, doc: 'what came of it' },
          cgroup: common.cgroup,
          sock: { kind: 'pointer', doc: 'the socket' },
          took_ns: { kind: 'duration', unit: 'ns', nullAs: 0, doc: 'how long it took' },
        },
        table: ['time', 'pid', 'comm'],
      },
    },
    variants: [
      {
        name: 'bcc',
        backend: 'bcc',
        template: 'fallback.bcc.c',
        needs: [{ bcc: '>=0.18.0' }, { headers: true }],
        cannotTell: {},
        misses: 'nothing',
        cost: 'none',
      },
    ],
  }),
  templates: {
    bcc: `{{kprobe tcp_connect struct sock *sk}}
{
  {{emit tick
    task
    raddr = in6 &sk->__sk_common.skc_v6_daddr
    rport = {port sk->__sk_common.skc_dport}
    result = 0
    sock = (u64)sk
    took_ns = 0
  }}
  return 0;
}

{{kretprobe tcp_connect 64}}
{
  return 0;
}
`,
  },
}

const anything = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }
const filesFolder = fileURLToPath(new URL('../../src/backends/', import.meta.url))

interface Tick {
  readonly comm?: string
  readonly pid?: bigint
  readonly raddr?: readonly number[]
  readonly result?: number
}

const mapped = [...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 7]

/** The bytes of a record as the kernel would hand them over. */
function record({ comm = 'curl', pid = 7n, raddr = mapped, result = 0 }: Tick = {}): string {
  const plan = makePlan(probe, anything, factsFor(probe, '0.17.0'))
  const [layout] = plan.layouts
  if (layout === undefined) throw new Error('no layout')
  const { members, bytes } = cStruct('tick', [...layout.closed, ...layout.texts])
  const buffer = Buffer.alloc(bytes, 0xee)
  buffer.writeUInt32LE(0, 0)
  const at = (name: string) => members.find((member) => member.name === name)?.offset ?? -1
  buffer.writeBigUInt64LE(process.hrtime.bigint(), at('ktime_ns'))
  buffer.writeBigInt64LE(pid, at('pid'))
  buffer.writeBigUInt64LE(0n, at('took_ns'))
  buffer.writeBigUInt64LE(2n ** 64n - 1n, at('cgroup'))
  Buffer.from(raddr).copy(buffer, at('raddr'))
  buffer.writeBigUInt64LE(0xffff_8880_1234_5600n, at('sock'))
  buffer.writeUInt16LE(443, at('rport'))
  buffer.writeInt32LE(result, at('result'))
  buffer.write(`${comm}\0`, at('comm'), 'latin1')
  return buffer.toString('hex')
}

const grouping = ['raddr', 'comm', 'pid']

/** A group as it lies in the kernel's map: its key, and how many of them had which time. `at` numbers the buckets. */
function group(
  { comm = 'curl', pid = 7n, raddr = mapped }: Tick,
  count: number,
  { sum = 0n, at = {} }: { readonly sum?: bigint; readonly at?: Record<number, number> } = {},
): readonly [string, string] {
  const key = Buffer.alloc(48)
  Buffer.from(raddr).copy(key, 0)
  key.write(comm, 16, 'latin1')
  key.writeBigInt64LE(pid, 40)
  const words = Array.from({ length: 65 }, (_, bucket) => BigInt(at[bucket] ?? 0))
  const value = Buffer.alloc(67 * 8)
  for (const [place, word] of [BigInt(count), sum, ...words].entries())
    value.writeBigInt64LE(word, place * 8)
  return [key.toString('hex'), value.toString('hex')]
}

function run(
  steps: readonly BccStep[],
  differences: Partial<SessionOptions> & {
    readonly ring?: false
    readonly heads?: string
    readonly summary?: SummaryRequest
  } = {},
) {
  const { ring = true, heads = '', summary = null, ...options } = differences
  const fake: FakeBcc = makeFakeBcc(steps)
  const facts = {
    ...factsFor(probe, '0.17.0'),
    bcc: { found: { is: 'yes', evidence: 'fake' }, python: fake.python, version: '0.26.0' },
    ...(ring ? {} : { functions: {} }),
    libraries: { libc: { path: '/usr/lib/libc.so.6', functions: {} } },
  } as const
  const templates = { bcc: `${heads}${probe.templates['bcc']}` }
  const plan = makePlan({ ...probe, templates }, { ...anything, summary }, facts)
  const events: AnyEvent[] = []
  const batches: number[] = []
  const log: string[] = []
  const session = startSession({
    plan,
    facts,
    filesFolder,
    consumer: {
      event: (event) => void events.push(event),
      batch: () => void batches.push(events.length),
    },
    watcher: { log: (line, from) => void log.push(`${from}: ${line}`) },
    durationMs: null,
    count: null,
    drainMs: 5_000,
    attachTimeoutMs: 60_000,
    ...options,
  })
  return { session, events, batches, log, fake, plan }
}

describe.skipIf(!existsSync(realPython))('the driver of bcc', () => {
  it.each([true, false])(
    'delivers every event and closes the account (ring buffer: %s)',
    async (ring) => {
      const { session, events, fake, plan } = run(
        [{ do: 'events', records: [record(), record({ comm: 'a\n1\t2"\\\x1f\xff\x01z' })] }],
        ring ? {} : { ring },
      )

      await until(() => events.length === 2)
      session.stop('interrupt')
      const { account } = await session.ended

      expect(plan.buffers.transport).toBe(ring ? 'ring buffer' : 'perf buffer')
      expect(account).toMatchObject({
        account: 'exact',
        events: { tick: { emitted: 2, received: 2, delivered: 2, lost: 0, faults: 0 } },
      })
      expect(events[0]).toMatchObject({
        pid: 7,
        comm: 'curl',
        raddr: '192.0.2.7',
        family: 4,
        rport: 443,
        result: { code: 0, name: 'OK' },
        cgroup: '18446744073709551615',
        sock: '0xffff888012345600',
      })
      expect(events[1]).toMatchObject({ comm: 'a\n1\t2"\\x5c\x1f\\xff\x01z', escaped: ['comm'] })
      expect(fake.said()).toMatchObject([
        { program: expect.stringContaining('struct er_record_0 {') },
        { kprobe: 'tcp_connect', function: 'er_kprobe_0' },
        { kretprobe: 'tcp_connect', function: 'er_kretprobe_1', instances: 64 },
        { cleanup: true },
      ])
    },
  )

  it('attaches to functions of a library, at the call and at the return', async () => {
    const { session, fake } = run([], {
      heads: `{{uprobe libc getaddrinfo}} { return 0; }
{{uretprobe libc getaddrinfo}} { return 0; }
`,
    })

    await session.attached
    session.stop('interrupt')
    await session.ended

    const library = '/usr/lib/libc.so.6'
    expect(fake.said().slice(1, 3)).toMatchObject([
      { uprobe: 'getaddrinfo', library, function: 'er_uprobe_0' },
      { uretprobe: 'getaddrinfo', library, function: 'er_uretprobe_1' },
    ])
  })

  it('keeps what stands for no value, and signs', async () => {
    const { session, events } = run([
      { do: 'events', records: [record({ pid: -1n, result: -111 }), record({ result: 1 })] },
    ])

    await until(() => events.length === 2)
    session.stop('stop')
    await session.ended

    expect(events).toMatchObject([
      { pid: null, result: { code: -111, name: 'ECONNREFUSED' } },
      { pid: 7, result: null },
    ])
  })

  it('hands the token to nobody but the driver', async () => {
    const { session, fake } = run([])

    await session.attached
    session.stop('stop')
    await session.ended

    expect(JSON.stringify(fake.said())).not.toMatch(/[1-7][0-9a-f]{15}/)
  })

  it('counts what was emitted and never handed over as lost', async () => {
    const { session, events } = run([{ do: 'events', records: [record()], lose: 3 }], {
      ring: false,
    })

    await until(() => events.length === 1)
    session.stop('stop')
    const { account, lostHint } = await session.ended

    expect(account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 4, received: 1, lost: 3 } },
    })
    expect(lostHint).toBe(3)
  })

  it('reads what is left in the buffer before it says that it is over', async () => {
    const { session, events } = run([{ do: 'late', records: [record(), record(), record()] }])

    await session.attached
    session.stop('stop')
    const { account } = await session.ended

    expect(events).toHaveLength(3)
    expect(account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 3, delivered: 3, after_end: 0, lost: 0 } },
    })
  })

  it('hears of its end, and beats, while a flood keeps bcc from returning', async () => {
    const { session } = run([{ do: 'flood', records: [record()] }])

    await session.attached
    await until(() => (session.live().events['tick']?.emitted ?? 0) > 1000)
    session.stop('stop')
    const { account } = await session.ended

    expect(account.account).toBe('exact')
    expect(account.events['tick']).toMatchObject({ lost: 0, faults: 0 })
  })

  it.each([
    ['Failed to compile BPF module <text>', '', 'REJECTED', 'could not compile'],
    [
      'Failed to compile BPF module <text>',
      'Unable to find kernel headers. Try rebuilding kernel with CONFIG_IKHEADERS=m\n',
      'REJECTED',
      'headers',
    ],
    [
      "Failed to load BPF program b'er_kprobe_0': Permission denied",
      'R0 invalid mem access\n',
      'REJECTED',
      'refused',
    ],
    ["Failed to attach BPF program b'x' to kprobe b'y'", '', 'ATTACH_FAILED', 'attached'],
    ["Failed to load BPF program b'x': Operation not permitted", '', 'NO_PERMISSION', 'permitted'],
  ])('turns %j into an error of ours', async (text, stderr, code, message) => {
    const { session } = run([{ do: 'raise', text, stderr }])

    const { error } = await failureOf(session)

    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
    expect(error.detail).toContain('Failed')
  })

  it('fails with an open account when it dies', async () => {
    const { session } = run([{ do: 'events', records: [record()] }, { do: 'die' }])

    const { error, result } = await failureOf(session)

    expect(error).toMatchObject({
      code: 'BACKEND_DIED',
      message: 'bcc died while running (exit code 3)',
    })
    expect(result.account.account).toBe('open')
  })

  it('counts in the kernel, and says for each dump what came since the one before', async () => {
    const hostile = 'a\n1\t2"\\\x1f\xff\x01z'
    const { session, events, batches } = run(
      [
        { do: 'groups', counted: 2, entries: [group({}, 2, { sum: 9n, at: { 4: 2 } })] },
        {
          do: 'groups',
          counted: 9,
          entries: [
            group({}, 5, { sum: 1009n, at: { 4: 2, 11: 3 } }),
            group({ comm: hostile, pid: -1n, raddr: [...Array<number>(15).fill(0), 1] }, 3),
            group({ comm: 'nothing yet' }, 0),
          ],
        },
      ],
      { summary: { by: grouping, histogram: null, intervalMs: 700 } },
    )

    await until(() => events.length === 1)
    session.stop('stop')
    const { account } = await session.ended

    expect(events).toMatchObject([
      { raddr: '192.0.2.7', comm: 'curl', pid: 7, count: 2, took_sum_ns: '9', took_p99_ns: 8 },
      { comm: 'curl', count: 3, took_sum_ns: '1000', took_avg_ns: 333, took_p50_ns: 1024 },
      {
        raddr: '::1',
        comm: 'a\n1\t2"\\x5c\x1f\\xff\x01z',
        pid: null,
        count: 3,
        took_sum_ns: null,
        took_p50_ns: null,
        escaped: ['comm'],
      },
    ])
    // How many groups were there when an interval was complete.
    expect(batches).toEqual([1, 3])
    expect(account).toMatchObject({
      account: 'exact',
      events: { tick: { emitted: 9, received: 8, delivered: 8, lost: 1, faults: 0 } },
    })
  })

  it('has the bounds of histograms that bpftrace has', async () => {
    const at = { 0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 13: 6, 64: 7 }
    const { session, events } = run(
      [{ do: 'groups', counted: 28, entries: [group({}, 28, { at })] }],
      { summary: { by: grouping, histogram: 'took_ns', intervalMs: null } },
    )

    await session.attached
    session.stop('stop')
    await session.ended

    // As bpftrace prints -1, 0, 1, 2, 4, 2048 and 2^62: test/wire/aggregates.test.ts.
    expect(events[0]?.['buckets']).toEqual([
      { ge: null, lt: 0, count: 1 },
      { ge: 0, lt: 1, count: 2 },
      { ge: 1, lt: 2, count: 3 },
      { ge: 2, lt: 4, count: 4 },
      { ge: 4, lt: 8, count: 5 },
      { ge: 2 ** 11, lt: 2 ** 12, count: 6 },
      { ge: 2 ** 62, lt: 2 ** 63, count: 7 },
    ])
  })
})
