import { describe, expect, test } from 'vitest'

type Event = Readonly<Record<string, unknown>>
interface Verdict {
  readonly wrong: number
  readonly complaints: readonly string[]
}

const root = new URL('../../', import.meta.url).pathname
const {
  judge,
}: { judge: (lines: readonly object[], events: readonly Event[], summary: object) => Verdict } =
  await import(`${root}scripts/lab/inside/judge.mjs`)

const event = (lport: number, comm: string | null = 'a'): Event => ({ rport: 9, lport, comm })
const lines = [
  { scope: [{ field: 'rport', values: [9] }] },
  ...[1, 2, 3].map((lport) => ({ expect: { lport, comm: 'a' } })),
]
const judged = (events: readonly Event[], missed: number | null): Verdict =>
  judge(lines, events, {
    events: { connect: { lost: 0, faults: 0, missed } },
    account: 'exact',
  })

describe('what was expected and did not come', () => {
  test.each([
    { missed: 0, wrong: 2 },
    { missed: null, wrong: 2 },
    { missed: 1, wrong: 1 },
    { missed: 2, wrong: 0 },
    { missed: 7, wrong: 0 },
  ])('is wrong but for what the kernel skipped: $missed', ({ missed, wrong }) => {
    expect(judged([event(1)], missed).wrong).toBe(wrong)
  })

  test('says which is which', () => {
    expect(judged([event(1)], 1).complaints.map((text) => text.split(' ')[0])).toEqual([
      'skipped',
      'missing',
    ])
  })
})

test('what came and was not expected is wrong, whatever the kernel skipped', () => {
  expect(judged([event(1), event(2), event(3), event(4)], 5).wrong).toBe(1)
  expect(judged([event(1), event(2), event(3, 'b')], 5).wrong).toBe(1)
})
