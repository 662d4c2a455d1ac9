import { describe, expect, test } from 'vitest'
import type { AnyEvent } from '../../src/schema/define.ts'
import {
  codes,
  decode,
  eventsOf,
  randomNumbers,
  record,
  restOf,
  shortRecord,
  token,
  type Told,
} from './harness.ts'

const guessed = '1b70375a7058326e'

/** Texts that a process may choose; each is what a comm or a path can hold. */
const texts = [
  '\n',
  '\n\n\n',
  '\t',
  '\r',
  'a\r\n',
  '"',
  '\\',
  '\\n',
  '\\x41',
  '{"event":"short"}',
  '\x1b[2J\x07',
  '\x7f',
  'Lost 9 events\n',
  'a\nLost 9 events\n',
  `${guessed}3\t1\t0${guessed}\tsh${guessed}\n`,
  `\n${guessed}3\t1\t0${guessed}\tsh${guessed}\n`,
  `@n_${guessed}_0_0: 9\n`,
  token.slice(0, -1),
  token.slice(1),
  token.slice(0, 4).repeat(3),
  'x\n\xff\xfe\xed\xa0\x80',
  'größe\n',
] as const

describe('a text that a process chose', () => {
  test.each(texts)('%j arrives byte for byte and hides nothing', (text) => {
    const stream = shortRecord(1) + kitchen(text) + shortRecord(2)

    for (const mode of ['object', 'ndjson'] as const) {
      const told = decode(stream, { mode })
      const [before, hostile, after] = eventsOf(told)

      expect(restOf(told)).toEqual([])
      expect([before?.pid, after?.pid]).toEqual([1, 2])
      expect(hostile?.note).toBe(shownOf(text))
    }
  })

  test('with the beginning of the token right before the real one is kept whole', () => {
    for (let size = 1; size < token.length; size++) {
      const comm = token.slice(0, Math.min(size, 15))
      expect(eventsOf(decode(shortRecord(1, comm) + shortRecord(2)))[0]?.comm).toBe(comm)
    }
  })
})

describe('noise', () => {
  test('100,000 random byte strings between records neither crash nor make a record', () => {
    const next = randomNumbers(20_261_121)
    const alphabet = `${token}\t\n_:@n0389abcdef\x00\xff\x80"\\`
    const noise = () =>
      Array.from({ length: next() % 24 }, () =>
        next() % 2 === 0
          ? String.fromCharCode(next() % 256)
          : alphabet.charAt(next() % alphabet.length),
      ).join('')
    let stream = ''
    const told: Told[] = []
    for (let count = 1; count <= 100_000; count++) {
      stream += noise()
      if (count % 1000 !== 0) continue
      told.push(...decode(stream + shortRecord(count)))
      stream = ''
    }

    expect(eventsOf(told).map((event) => event.pid)).toEqual(
      Array.from({ length: 100 }, (_, at) => (at + 1) * 1000),
    )
    expect(restOf(told).filter((one) => !('other' in one))).toEqual([])
  })

  test('random damage to true records makes faults, never another value', () => {
    const next = randomNumbers(99)
    const whole = shortRecord(123, 'curl')
    for (let round = 0; round < 1500; round++) {
      const at = next() % whole.length
      const damaged = whole.slice(0, at) + String.fromCharCode(next() % 256) + whole.slice(at + 1)
      const told = decode(damaged + shortRecord(9))
      const decoded = eventsOf(told)

      expect(decoded.at(-1)).toEqual({ event: 'short', pid: 9, ret: 0, comm: 'sh' })
      expect(decoded.length).toBeLessThanOrEqual(2)
      if (decoded.length === 2)
        expect(isNear(damaged, decoded[0]), JSON.stringify(damaged)).toBe(true)
    }
  })
})

/** One changed byte may make another number or text, but only the one that stands there. */
function isNear(damaged: string, event: AnyEvent | undefined) {
  const [, pid, ret, comm] =
    new RegExp(`^${token}3\t(\\d+)\t(-?\\d+)${token}\t([^]*)${token}\n$`).exec(damaged) ?? []
  const text = Buffer.from(comm ?? '', 'latin1')
  return (
    event?.['pid'] === Number(pid) &&
    event.ret === Number(ret) &&
    event.comm === shownOf(text.toString('latin1'))
  )
}

/** The text as a decoder shows it. */
function shownOf(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1')
  if (Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes)) return bytes.toString('utf8')
  return latin1.replaceAll(/[\\\x80-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`)
}

function kitchen(note: string): string {
  const closed = ['5', 1, 2, 3, '4', 5, 6, '10.0.0.1', 8, '10.0.0.2', 9, 1, 0, 0, 0, 0, 0]
  return record(codes.kitchen, closed, ['sh', '', note])
}
