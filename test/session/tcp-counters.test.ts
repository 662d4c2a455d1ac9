import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TcpCounters, TcpCounterSource } from '../../src/host/tcp-counters.ts'
import {
  countersOf,
  followed,
  observeTcp,
  type Seen,
  type Track,
} from '../../src/session/tcp-counters.ts'

const netns = 4026532176
const counters = (retransmitted: number, sent: number, failed = 0): TcpCounters => ({
  retransmitted,
  failed,
  sent,
})
const seen = (all: number, failed = 0, untold = 0): Seen => ({ all, failed, untold })
/** A track of these looks, the first of them at the beginning or later. */
const tracked = (fromBeginning: boolean, ...looks: TcpCounters[]): Track | undefined =>
  looks.reduce<Track | undefined>((track, now) => followed(track, now, fromBeginning), undefined)

describe('what is told of a namespace', () => {
  it('is how much its counters grew from the beginning on', () => {
    const track = tracked(true, counters(7, 100, 2), counters(10, 120, 3))
    expect(countersOf(netns, track, seen(3, 1))).toEqual([
      {
        netns,
        retransmitted_segments: 3,
        failed_segments: 1,
        sent_segments: 20,
        seen: 3,
        seen_failed: 1,
      },
    ])
  })

  it('is nothing where nothing was sent again', () => {
    expect(countersOf(netns, tracked(true, counters(7, 100), counters(7, 120)), undefined)).toEqual(
      [],
    )
  })

  it('is unknown where counters that were not there at the beginning had counted before', () => {
    const [told] = countersOf(netns, tracked(false, counters(4, 6)), seen(1))
    expect(told).toMatchObject({ retransmitted_segments: null, sent_segments: null, seen: 1 })
  })

  it('is exact for each counter of a new namespace that was 0 when it was first read', () => {
    const [told] = countersOf(netns, tracked(false, counters(0, 6), counters(2, 9)), seen(2))
    expect(told).toMatchObject({
      retransmitted_segments: 2,
      failed_segments: 0,
      sent_segments: null,
    })
  })

  it('is unknown where counters fell: another namespace has got the inode', () => {
    const track = tracked(true, counters(7, 100), counters(1, 3), counters(9, 200))
    expect(countersOf(netns, track, seen(1))).toMatchObject([
      { retransmitted_segments: null, failed_segments: null, sent_segments: null },
    ])
  })

  it('says nothing of failed ones where an event has no result', () => {
    const [told] = countersOf(
      netns,
      tracked(true, counters(0, 0), counters(2, 1, 1)),
      seen(2, 0, 2),
    )
    expect(told).toMatchObject({ failed_segments: 1, seen_failed: null })
  })

  it('is there for a namespace that could never be read', () => {
    expect(countersOf(netns, undefined, seen(1))).toMatchObject([
      { retransmitted_segments: null, seen: 1 },
    ])
  })
})

describe('a run', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A host that a test changes: counters by inode, and whether a process lives there. */
  function host() {
    const inhabited = new Map<number, TcpCounters>()
    const bound = new Map<number, TcpCounters | null>()
    const source: TcpCounterSource = {
      ofProcesses: () => new Map(inhabited),
      bound: () => new Map([...bound.keys()].map((inode) => [inode, String(inode)])),
      ofBound: async (path) => bound.get(Number(path)) ?? null,
    }
    return { inhabited, bound, source }
  }
  const event = (result: { code: number; name: string } | null = { code: 0, name: 'OK' }) => ({
    event: 'retransmit',
    netns,
    raddr: '192.0.2.1',
    result,
  })
  const nextLook = () => vi.advanceTimersByTimeAsync(10_000)

  it('knows a namespace without a process, by its mount', async () => {
    const { bound, source } = host()
    bound.set(netns, counters(3, 1))
    const observer = observeTcp(source)
    observer.begin()
    await nextLook()
    observer.event(event())
    bound.set(netns, counters(4, 1))
    const { notes, namespaces } = await observer.end()
    expect(namespaces).toMatchObject([{ retransmitted_segments: 1, sent_segments: 0, seen: 1 }])
    expect(notes).toEqual([
      `namespace ${netns}: the kernel counted 1 retransmitted of 0 sent segments; we saw 1`,
      'by remote address: 192.0.2.1 1',
    ])
  })

  it('tells failed ones from those that were sent', async () => {
    const { inhabited, source } = host()
    inhabited.set(netns, counters(10, 10))
    const observer = observeTcp(source)
    observer.begin()
    observer.event(event({ code: -1, name: 'EPERM' }))
    observer.event(event())
    inhabited.set(netns, counters(12, 20, 1))
    const { notes } = await observer.end()
    expect(notes[0]).toBe(
      `namespace ${netns}: the kernel counted 2 retransmitted of 10 sent segments (20.00 %), 1 of them failed; we saw 2, 1 of them failed`,
    )
  })

  it('gives no figure for a namespace that it could not read at the beginning', async () => {
    const { bound, source } = host()
    bound.set(netns, null)
    const observer = observeTcp(source)
    observer.begin()
    await nextLook()
    bound.set(netns, counters(4, 2))
    observer.event(event())
    const { notes, namespaces } = await observer.end()
    expect(namespaces[0]?.retransmitted_segments).toBeNull()
    expect(notes[0]).toBe(
      `namespace ${netns}: what the kernel counted in this run is not known, because the namespace was new to us or ended; we saw 1`,
    )
  })

  it('finds a new namespace before anything is sent again in it', async () => {
    const { inhabited, source } = host()
    const observer = observeTcp(source)
    observer.begin()
    inhabited.set(netns, counters(0, 5))
    await nextLook()
    inhabited.set(netns, counters(2, 9))
    observer.event(event())
    const { notes } = await observer.end()
    expect(notes[0]).toBe(
      `namespace ${netns}: the kernel counted 2 retransmitted segments; we saw 1`,
    )
  })

  it.each([
    ['has ended', false],
    ['was gone for a while', true],
  ])('gives no figure for a namespace that %s', async (_, comesBack) => {
    const { inhabited, source } = host()
    inhabited.set(netns, counters(1, 5))
    const observer = observeTcp(source)
    observer.begin()
    observer.event(event())
    inhabited.clear()
    await nextLook()
    if (comesBack) inhabited.set(netns, counters(8, 50))
    const { namespaces } = await observer.end()
    expect(namespaces).toMatchObject([{ netns, retransmitted_segments: null, seen: 1 }])
  })

  it('counts addresses, most first', async () => {
    const observer = observeTcp(host().source)
    observer.begin()
    for (const raddr of ['192.0.2.1', '2001:db8::1', '2001:db8::1'])
      observer.event({ ...event(), raddr })
    const { by_raddr } = await observer.end()
    expect(Object.entries(by_raddr)).toEqual([
      ['2001:db8::1', 2],
      ['192.0.2.1', 1],
    ])
  })
})
