import { describe, expect, test } from 'vitest'

interface Verdict {
  readonly expected: number
  readonly delivered: number
  readonly lost: number
  readonly wrong: number
  readonly complaints: readonly string[]
}
type Event = Readonly<Record<string, unknown>>
type Compare = (cell: object, ours: object, theirs: object) => Verdict

const root = new URL('../../', import.meta.url).pathname
const { compareEvents, compareGroups }: { compareEvents: Compare; compareGroups: Compare } =
  await import(`${root}scripts/lab/inside/both.mjs`)
const { exceptions }: { exceptions: object } = await import(`${root}scripts/lab/both-cells.mjs`)

const cell = { key: ['lport'], by: ['comm'], exceptions, untold: { fexit: ['outcome'] } }
const run = (variant: string, events: readonly Event[], lost = 0): object => ({
  ...{ variant, events, lost, faults: 0, missed: 0, account: 'exact' },
})
const compare = (ours: readonly Event[], theirs: readonly Event[]): Verdict =>
  compareEvents(cell, run('fexit', ours), run('bcc', theirs))

const event = {
  time: '2026-11-28T21:13:40.594048185Z',
  ktime_ns: '82586691954255',
  lport: 7,
  comm: 'a',
  connection: 1,
  duration_ns: 150_425,
  outcome: null,
}

describe('both back-ends', () => {
  test('that say the same are right, but for their clocks and numbers and what one cannot tell', () => {
    const other = {
      ...event,
      ktime_ns: '82586791954255',
      connection: 9,
      duration_ns: 100_000_000,
      outcome: 'established',
    }
    expect(compare([event], [other])).toMatchObject({ expected: 1, delivered: 1, wrong: 0 })
  })

  test.for([
    { what: 'another value', theirs: [{ ...event, comm: 'b' }] },
    { what: 'null in its place', theirs: [{ ...event, comm: null }] },
    { what: 'no such field', theirs: [{ ...event, comm: undefined }] },
    { what: 'a clock too far off', theirs: [{ ...event, ktime_ns: '82587291954255' }] },
    { what: 'another day', theirs: [{ ...event, time: '2026-11-29T21:13:40.594048185Z' }] },
    { what: 'no event', theirs: [] },
    { what: 'an event twice', theirs: [event, event] },
  ])('that differ in $what are wrong', ({ theirs }) => {
    expect(compare([event], theirs)).toMatchObject({ wrong: 1 })
  })

  test('may each lack as many events as the kernel skipped programs of theirs, and no more', () => {
    const other = { ...event, lport: 8 }
    const skipping = (missed: number) => ({ ...run('bcc', [event]), missed })
    expect(compareEvents(cell, run('fexit', [event, other]), skipping(1)).wrong).toBe(0)
    expect(compareEvents(cell, run('fexit', [event, other, other]), skipping(1)).wrong).toBe(1)
    // What bcc skipped is no reason for bpftrace to lack it.
    expect(compareEvents(cell, run('fexit', [other]), skipping(1)).wrong).toBe(1)
  })

  test('may not give two connections one number', () => {
    const two = [event, { ...event, lport: 8, connection: 2 }]
    const one = two.map((each) => ({ ...each, connection: 5 }))
    expect(compare(two, one)).toMatchObject({ wrong: 1 })
  })

  const words = Array.from({ length: 60 }, (_, at) => String(at))
  test.for([
    { what: 'what one had no room for', ours: words.slice(0, 20), theirs: words, wrong: 0 },
    { what: 'less than all have room for', ours: words.slice(0, 19), theirs: words, wrong: 1 },
    { what: 'another item', ours: words.with(7, 'x').slice(0, 20), theirs: words, wrong: 1 },
  ])('may have lists that differ by what one has no room for: $what', ({ ours, theirs, wrong }) => {
    const [one, other] = [ours, theirs].map((argv) => ({ ...event, argv }))
    expect(compare([one!], [other!])).toMatchObject({ wrong })
  })

  test('need not agree on how a text stands that one cannot tell, but on that of all others', () => {
    const escaped = (...names: readonly string[]) => ({ ...event, escaped: names })

    expect(compare([escaped('comm')], [escaped('comm', 'outcome')])).toMatchObject({ wrong: 0 })
    expect(compare([event], [escaped('outcome')])).toMatchObject({ wrong: 0 })
    expect(compare([event], [escaped('comm')])).toMatchObject({ wrong: 1 })
  })

  test('that say nothing are wrong', () => {
    expect(compare([], [])).toMatchObject({ wrong: 1, complaints: ['no events of the workload'] })
  })

  test('are paired in the order of time', () => {
    const later = { ...event, ktime_ns: '82586691954256', comm: 'b' }
    expect(compare([event, later], [later, event])).toMatchObject({ wrong: 0 })
  })

  test('lose together what each loses', () => {
    const verdict = compareEvents(cell, run('fexit', [event], 2), run('bcc', [event], 3))
    expect(verdict).toMatchObject({ lost: 5 })
  })

  test.for([
    { theirs: [{ comm: 'a', count: 3, bytes_sum: '30', duration_ns_sum: '4' }], wrong: 0 },
    { theirs: [{ comm: 'a', count: 3, bytes_sum: '31' }], wrong: 1 },
    { theirs: [{ comm: 'a', count: 2, bytes_sum: '30' }], wrong: 1 },
    { theirs: [{ comm: 'b', count: 3, bytes_sum: '30' }], wrong: 2 },
  ])('count the same groups over all dumps: $theirs', ({ theirs, wrong }) => {
    const ours = [
      { comm: 'a', count: 1, bytes_sum: '10', duration_ns_sum: '5' },
      { comm: 'a', count: 2, bytes_sum: '20', duration_ns_sum: '5' },
    ]
    expect(compareGroups(cell, run('fexit', ours), run('bcc', theirs))).toMatchObject({ wrong })
  })
})
