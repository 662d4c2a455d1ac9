import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createResolver, serviceNames } from '../../src/commands/resolve.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { tableSink } from '../../src/sinks/table.ts'
import probe from '../../probes/tcpconnect/probe.ts'

const services =
  '# comment\nhttps  443/tcp  # http over TLS\nhttps 443/udp\ndns 53/udp\nwww 80/tcp http\n'
const event: AnyEvent = {
  event: 'connect',
  time: '2026-01-01T00:00:00.000000000Z',
  pid: 1,
  comm: 'curl',
  laddr: '192.0.2.1',
  lport: 53,
  raddr: '192.0.2.7',
  rport: 443,
}

/** A resolver whose answers come when they are asked for, from these names. */
function resolverOf(names: Readonly<Record<string, string | Error>>) {
  const asked: string[] = []
  const cancelled: string[] = []
  const resolver = createResolver({
    async reverse(address) {
      asked.push(address)
      const name = names[address] ?? []
      if (name instanceof Error) throw name
      return [name].flat()
    },
    cancel: () => void cancelled.push('all'),
    services,
  })
  return { resolver, asked, cancelled }
}

describe('names of addresses', () => {
  it('stand in place of the address once they are known, and are asked for once', async () => {
    const { resolver, asked } = resolverOf({ '192.0.2.7': 'example.org' })

    expect(resolver.shown(event)).toMatchObject({ laddr: '192.0.2.1', raddr: '192.0.2.7' })
    await turn()
    expect(resolver.shown(event)).toMatchObject({ laddr: '192.0.2.1', raddr: 'example.org' })
    resolver.shown(event)
    expect(asked).toEqual(['192.0.2.1', '192.0.2.7'])
  })

  it('are done without when there are none', async () => {
    const { resolver, asked } = resolverOf({ '192.0.2.7': new Error('NXDOMAIN') })

    resolver.shown(event)
    await turn()
    expect(resolver.shown(event)).toMatchObject({ raddr: '192.0.2.7' })
    expect(asked).toHaveLength(2)
  })

  it('leave the event as it was', async () => {
    const { resolver } = resolverOf({ '192.0.2.7': 'example.org' })
    const before = { ...event }

    resolver.shown(event)
    await turn()
    resolver.shown(event)
    expect(event).toEqual(before)
  })

  it('are asked for 16 at a time, and 4096 are remembered', async () => {
    const { resolver, asked } = resolverOf({})
    const remote = (index: number) => ({
      ...event,
      laddr: null,
      raddr: `10.0.${index >> 8}.${index & 255}`,
    })

    for (let index = 0; index < 100; index += 1) resolver.shown(remote(index))
    expect(asked).toHaveLength(16)
    for (let index = 0; index < 5_000; index += 1) {
      resolver.shown(remote(index))
      await turn()
    }
    expect(asked).toHaveLength(5_000)
    resolver.shown(remote(4_999))
    expect(asked).toHaveLength(5_000)
    resolver.shown(remote(0))
    expect(asked).toHaveLength(5_001)
  })

  it('can be looked up before anything is shown, where all events are there', async () => {
    const { resolver, asked } = resolverOf({ '10.0.0.99': 'last.example' })
    const events = Array.from({ length: 100 }, (_, index) => ({
      ...event,
      raddr: `10.0.0.${index}`,
    }))

    await resolver.learn([...events, ...events])

    expect(asked).toHaveLength(101)
    expect(resolver.shown(events[99] ?? event)).toMatchObject({ raddr: 'last.example' })
  })

  it('are waited for where they were asked for before', async () => {
    const answers: ((names: readonly string[]) => void)[] = []
    const resolver = createResolver({
      reverse: () => new Promise((resolve) => void answers.push(resolve)),
      cancel() {},
      services,
    })
    const { laddr: _, ...remote } = event
    resolver.shown(remote)
    const learned = resolver.learn([remote])
    for (const answer of answers) answer(['late.example'])
    await learned

    expect(resolver.shown(remote)).toMatchObject({ raddr: 'late.example' })
  })

  it('are not asked for any more after the end', async () => {
    const { resolver, asked } = resolverOf({})
    resolver.close()
    await resolver.learn([event])

    expect(asked).toEqual([])
  })

  it('are given up at the end', () => {
    const { resolver, cancelled } = resolverOf({})

    resolver.close()
    expect(cancelled).toEqual(['all'])
  })

  it('reach a terminal with their control characters written out', async () => {
    const { resolver } = resolverOf({ '192.0.2.7': 'a\x1b]0;evil\x07\u202e\nb' })
    let text = ''
    const out = {
      write: (bytes: string | Buffer) => ((text += String(bytes)), true),
      isTerminal: true,
      columns: () => 200,
      rows: () => null,
      color: false,
    }
    const options = { probe, fields: null, header: false, utc: true, shown: resolver.shown }
    const sink = tableSink(out, options)

    sink.event(event)
    await turn()
    sink.event(event)

    const [first, second] = text.split('\n')
    expect(first).toContain('192.0.2.7')
    expect(second).toContain(String.raw`a\x1b]0;evil\x07\u202e\nb`)
    expect(text).not.toMatch(/[\x1b\x07\u202e]/)
  })
})

describe('names of ports', () => {
  it('are those of TCP in /etc/services', () => {
    expect([...serviceNames(services)]).toEqual([
      [443, 'https'],
      [80, 'www'],
    ])
    expect(resolverOf({}).resolver.shown(event)).toMatchObject({ lport: 53, rport: 'https' })
  })
})
