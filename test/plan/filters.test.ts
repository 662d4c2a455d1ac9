import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressBytes, type AnyFilter, eventPasses } from '../../src/plan/filters.ts'
import { numberOfFields } from '../../src/plan/numbers.ts'
import { parseFilters } from '../../src/plan/params.ts'
import { placeholderToken } from '../../src/plan/plan.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { readText } from '../../src/wire/texts.ts'
import { handmadeBcc, handmadeProbe, noNames, planFor } from './handmade-probe.ts'
import { literalsOf } from './program-text.ts'

/** A thing as the kernel holds it. */
interface Thing {
  readonly pid: number
  readonly uid: number
  readonly cgroup: bigint
  readonly comm: readonly number[]
  readonly netns: number
  readonly laddr: string
  readonly lport: number
  readonly raddr: string
  readonly rport: number
  readonly result: number
}

/** Where handmade facts put the members that hold the addresses. */
const offsets: Readonly<Record<string, number>> = { laddr: 0, raddr: 8 }

/** What bpftrace would decide. Its conditions are JavaScript's: numbers as 64 bits, bytes as latin1 characters. */
function kernelSays(condition: string, thing: Thing): boolean {
  const script = condition
    .replaceAll(/\(\(struct er_(\d+)_unsigned_int \*\)\$([a-z]+)\)->v/g, 'word("$2", $1)')
    .replaceAll(/\$([a-z]+)/g, '$1')
    .replaceAll(/(?<!["\\\w])\d+\b/g, '$&n')
  const word = (name: 'laddr' | 'raddr', offset: bigint) => {
    const at = Number(offset) - (offsets[name] ?? 0)
    return BigInt(Buffer.from(addressBytes(thing[name])).readUInt32LE(at))
  }
  const numbers = Object.entries(thing).flatMap(([name, value]) =>
    typeof value === 'number' || typeof value === 'bigint' ? [[name, BigInt(value)]] : [],
  )
  const names = {
    ...Object.fromEntries(numbers),
    comm: Buffer.from(thing.comm).toString('latin1'),
    word,
  }
  return new Function(...Object.keys(names), `return ${script}`)(...Object.values(names)) === true
}

/** The event that the decoder makes of a thing. */
function eventOf(thing: Thing): AnyEvent {
  const comm = readText(Buffer.from(thing.comm).toString('latin1'), { bytes: 15 })
  return {
    event: 'thing',
    pid: thing.pid,
    uid: thing.uid,
    cgroup: String(thing.cgroup),
    comm: comm.value,
    netns: thing.netns === 0 ? null : thing.netns,
    family: thing.raddr.includes(':') ? 6 : 4,
    laddr: ['::', '0.0.0.0'].includes(thing.laddr) ? null : thing.laddr,
    lport: thing.lport === 0 ? null : thing.lport,
    raddr: thing.raddr,
    rport: thing.rport,
    result: thing.result === 1 ? null : { code: thing.result, name: 'whatever' },
    ...(comm.escaped ? { escaped: ['comm'] } : {}),
  }
}

/** What C would decide, about the record that was filled before: 64-bit numbers as JavaScript has them, arrays by index. */
function recordSays(condition: string, thing: Thing): boolean {
  const script = condition
    .replaceAll('er->', 'er.')
    .replaceAll(/(?<!\w)(0x[0-9a-f]+|\d+)(?:ULL)?\b/g, '$1n')
  const words = (address: string) =>
    [0, 4, 8, 12].map((at) => BigInt(Buffer.from(addressBytes(address)).readUInt32LE(at)))
  const numbers = Object.entries(thing).flatMap(([name, value]) =>
    typeof value === 'number' || typeof value === 'bigint' ? [[name, BigInt(value)]] : [],
  )
  const record = {
    ...Object.fromEntries(numbers),
    comm: [...thing.comm, ...Array<number>(17 - thing.comm.length).fill(0)].map(BigInt),
    laddr: words(thing.laddr),
    raddr: words(thing.raddr),
  }
  return new Function('er', `return ${script}`)(record) === true
}

/** The condition of the one event of a C program. */
function cConditionOf(program: string): string {
  return /^ +if \((.*)\) \{ \{ int er_at = 1;/m.exec(program)?.[1] ?? 'true'
}

/** Both languages that a filter is written in. */
const languages = [
  { backend: 'bpftrace', made: handmadeProbe(), conditionIn: conditionOf, says: kernelSays },
  { backend: 'bcc', made: handmadeBcc(), conditionIn: cConditionOf, says: recordSays },
] as const

/** The condition before the one event of the program, without the end gate. */
function conditionOf(program: string): string {
  const start = `if (@stop_${placeholderToken} == 0`
  const from = program.indexOf(start) + start.length
  const to = program.indexOf(`) { @n_${placeholderToken}_0_0`)
  return program.slice(from, to).replace(/^ && /, '') || 'true'
}

const probe = handmadeProbe()
const numberOf = numberOfFields(probe.spec)
const options = ['pid', 'uid', 'lport', 'rport', 'laddr', 'raddr', 'family', 'netns', 'cgroup']

const few = (...values: readonly number[]) => fc.constantFrom(...values)
const address = fc.constantFrom(
  '10.0.0.1',
  '10.0.0.2',
  '10.9.9.9',
  '0.0.0.0',
  '::1',
  'fe80::1',
  '2001:db8::1:2',
)
const block = fc.constantFrom(
  ...['10.0.0.1', '10.0.0.0/30', '10.0.0.0/8', '0.0.0.0/0', '::1', '::/0', '::/64', 'fe80::/10'],
  ...[
    '::/80',
    '::ffff:0:0/90',
    '::ffff:0:0/96',
    '2001:db8::/33',
    '::ffff:10.0.0.0/104',
    '0.0.0.0',
    '2001:db8::1:0/111',
  ],
)
const port = fc.constantFrom('0', '1', '22', '0-22', '1-65535', '0-65535', '22-443')
const negatable = (value: fc.Arbitrary<string>) =>
  fc.tuple(fc.boolean(), value).map(([negated, text]) => (negated ? `!${text}` : text))
const valueOf: Readonly<Record<string, fc.Arbitrary<string>>> = {
  pid: fc.constantFrom('1', '2', '0-1', '2-4194304'),
  uid: fc.constantFrom('0', '1000', '0-4294967295'),
  lport: port,
  rport: port,
  laddr: block,
  raddr: block,
  family: fc.constantFrom('4', '6'),
  netns: fc.constantFrom('4026531840', '0', '7'),
  cgroup: fc.constantFrom('1', '18446744073709551615', '9223372036854775808'),
}
const filterTexts = fc
  .uniqueArray(fc.constantFrom(...options), { maxLength: 3 })
  .chain((flags) =>
    fc.record(
      Object.fromEntries(
        flags.map((flag) => [
          flag,
          fc.array(negatable(valueOf[flag] ?? fc.constant('1')), { minLength: 1, maxLength: 3 }),
        ]),
      ),
    ),
  )
const commBytes = fc.uint8Array({ min: 1, minLength: 1, maxLength: 15 }).map((bytes) => [...bytes])
const things: fc.Arbitrary<Thing> = fc.record({
  pid: few(0, 1, 2, 4_194_304),
  uid: few(0, 1000, 4_294_967_295),
  cgroup: fc.constantFrom(1n, 2n, 9_223_372_036_854_775_808n, 18_446_744_073_709_551_615n),
  comm: fc.oneof(fc.constant([0x61]), commBytes),
  netns: few(0, 7, 4_026_531_840),
  laddr: fc.oneof(fc.constantFrom('::', '0.0.0.0'), address),
  lport: few(0, 1, 22, 443, 65_535),
  raddr: address,
  rport: few(1, 22, 443, 65_535),
  result: few(0, 1, 5, -1, -111, -4095),
})
const outcomes = fc.constantFrom('failed', 'ok', null)

describe.each(languages)('a filter for $backend', ({ made, conditionIn, says }) => {
  it('decides the same in the kernel and after it, whatever the event', () => {
    fc.assert(
      fc.property(filterTexts, outcomes, things, (texts, outcome, thing) => {
        const plan = planFor(texts, outcome, made)
        const filters = plan.filters.map(({ filter }) => filter)
        const condition = conditionIn(
          plan.render({ token: placeholderToken, childPid: 1, ownPid: null, commandPid: null }),
        )

        expect(plan.filters.every(({ applied }) => applied === 'kernel')).toBe(true)
        expect(says(condition, thing)).toBe(allPass(filters, eventOf(thing)))
      }),
      { numRuns: 1500 },
    )
  })

  it('on a command name decides by its bytes, in the kernel and after it', () => {
    fc.assert(
      fc.property(commText, commText, fc.boolean(), (wanted, seen, negated) => {
        const texts = { comm: [negated ? `!${wanted}` : wanted] }
        const plan = planFor(texts, null, made)
        const thing = { ...someThing, comm: [...Buffer.from(seen)] }
        const condition = conditionIn(
          plan.render({ token: placeholderToken, childPid: 1, ownPid: null, commandPid: null }),
        )
        const filters = plan.filters.map(({ filter }) => filter)

        expect(says(condition, thing)).toBe((wanted === seen) !== negated)
        expect(allPass(filters, eventOf(thing))).toBe((wanted === seen) !== negated)
      }),
    )
  })
})

const ofIpv4 = ['10.0.0.1', '127.0.0.1', '255.255.255.255']
const ofIpv6 = ['::1', '2001:db8::1:2', '::fffe:a00:1']

describe.each(languages)('a block of addresses for $backend', ({ made, conditionIn, says }) => {
  it.each([
    ['::/0', [], ofIpv6],
    ['::/1', [], ofIpv6],
    ['::/80', [], ['::1', '::fffe:a00:1']],
    ['::/64', [], ['::1', '::fffe:a00:1']],
    ['::ffff:0:0/95', [], ['::fffe:a00:1']],
    ['::/95', [], ['::1']],
    ['::ffff:0:0/96', ofIpv4, []],
    ['::ffff:10.0.0.0/104', ['10.0.0.1'], []],
    ['10.0.0.0/8', ['10.0.0.1'], []],
    ['0.0.0.0/0', ofIpv4, []],
    ['2001:db8::/32', [], ['2001:db8::1:2']],
  ])('of one family holds addresses of that family: %s', (block, four, six) => {
    const inside = [...four, ...six]
    for (const negated of [false, true]) {
      const plan = planFor({ raddr: [negated ? `!${block}` : block] }, null, made)
      const condition = conditionIn(plan.render(gated))
      const filters = plan.filters.map(({ filter }) => filter)
      for (const raddr of [...ofIpv4, ...ofIpv6]) {
        const thing = { ...someThing, raddr }
        const isWanted = inside.includes(raddr) !== negated

        expect([raddr, says(condition, thing)]).toEqual([raddr, isWanted])
        expect([raddr, allPass(filters, eventOf(thing))]).toEqual([raddr, isWanted])
      }
    }
  })

  it('of IPv6 beside one of IPv4 holds both', () => {
    const plan = planFor({ raddr: ['10.0.0.0/8,::/0'] }, null, made)
    const condition = conditionIn(plan.render(gated))

    expect(says(condition, { ...someThing, raddr: '10.0.0.1' })).toBe(true)
    expect(says(condition, { ...someThing, raddr: '127.0.0.1' })).toBe(false)
    expect(says(condition, { ...someThing, raddr: '::1' })).toBe(true)
  })
})

describe('a command name', () => {
  it('never puts a byte into the C program but as a number', () => {
    fc.assert(
      fc.property(commText, (wanted) => {
        const program = planFor({ comm: [wanted] }, null, handmadeBcc()).render(secrets)
        const numbers = [...Buffer.from(wanted), 0].map(
          (byte, at) => `er->comm[${at}] == 0x${byte.toString(16).padStart(2, '0')}`,
        )
        const other = planFor({}, null, handmadeBcc()).render(secrets)

        expect(
          program
            .replace(`if (((${numbers.join(' && ')}))) { `, '')
            .replace(' }\n    }', '\n    }'),
        ).toBe(other)
      }),
    )
  })

  it('never puts a byte into the program but as \\xHH', () => {
    fc.assert(
      fc.property(commText, (wanted) => {
        const program = planFor({ comm: [wanted] }).render({
          token: placeholderToken,
          childPid: null,
          ownPid: null,
          commandPid: null,
        })
        const literals = literalsOf(program)
        const other = planFor({ comm: ['a'] }).render({
          token: placeholderToken,
          childPid: null,
          ownPid: null,
          commandPid: null,
        })

        expect(literals).toEqual([hex(wanted)])
        expect(program.replace(hex(wanted), '')).toBe(other.replace(hex('a'), ''))
      }),
    )
  })

  it.each(['"};exit();//', 'a"b\\', '`$(id)`', 'a\nb\n}', '{{emit x}}', '%s%n', "'"])(
    'takes the command name %j as bytes',
    (name) => {
      const program = planFor({ comm: [name] }).render({
        token: placeholderToken,
        childPid: null,
        ownPid: null,
        commandPid: null,
      })

      expect(literalsOf(program)).toEqual([hex(name)])
    },
  )
})

const gated = { token: placeholderToken, childPid: 1, ownPid: null, commandPid: null }

const secrets = { token: placeholderToken, childPid: null, ownPid: null, commandPid: null }

const someThing: Thing = {
  pid: 1,
  uid: 0,
  cgroup: 1n,
  comm: [],
  netns: 7,
  laddr: '10.0.0.1',
  lport: 22,
  raddr: '10.0.0.1',
  rport: 22,
  result: 0,
}

/** Names as one can type them: no NUL, no comma (it separates), no space at either end, no leading `!` (it negates), no escape. */
const commText = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 15 })
  .filter(
    (text) =>
      Buffer.byteLength(text) <= 15 &&
      !/[\0,]|^!|\\[,!\\]/.test(text) &&
      text.trim() === text &&
      text !== '',
  )

function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

function allPass(filters: readonly AnyFilter[], event: AnyEvent): boolean {
  return filters.every((filter) => eventPasses(filter, event, numberOf))
}

describe('a value that cannot be', () => {
  it.each([
    ['rport', '70000'],
    ['rport', '65536'],
    ['rport', '-1'],
    ['rport', '443-22'],
    ['rport', '0x50'],
    ['rport', ''],
    ['rport', '22,,443'],
    ['rport', '1e3'],
    ['rport', '22;exit()'],
    ['pid', 'abc'],
    ['pid', '4194305'],
    ['uid', 'nobody-here'],
    ['uid', '4294967296'],
    ['comm', 'x'.repeat(40)],
    ['comm', 'x'.repeat(16)],
    ['comm', 'äöüäöüäö'],
    ['comm', ''],
    ['comm', '!'],
    ['family', '5'],
    ['raddr', '10.0.0.0/33'],
    ['raddr', '10.0.0'],
    ['raddr', '010.0.0.1'],
    ['raddr', 'fe80::1%eth0'],
    ['raddr', '::/129'],
    ['raddr', '1.2.3.4/'],
    ['raddr', '1.2.3.4/8/8'],
    ['raddr', 'localhost'],
    ['cgroup', '18446744073709551616'],
    ['cgroup', '99999999999999999999'],
    ['cgroup', 'no/such'],
    ['netns', '4294967296'],
    ['netns', 'no-such'],
  ])('is refused with an example: --%s %j', (flag, text) => {
    expect(() => parseFilters(probe.spec, { [flag]: [text] }, null, noNames)).toThrow(
      expect.objectContaining({ code: 'BAD_VALUE', exitCode: 2 }),
    )
  })

  it.each([
    ['rport', '65535'],
    ['rport', '22,443'],
    ['rport', '!22'],
    ['pid', '4194304'],
    ['uid', '4294967295'],
    ['comm', 'x'.repeat(15)],
    ['comm', 'äöüäöüä'],
    ['raddr', '10.0.0.0/32'],
    ['raddr', '::/128'],
    ['raddr', '!fe80::/10'],
    ['cgroup', '18446744073709551615'],
    ['netns', '4294967295'],
  ])('has a neighbour that is taken: --%s %j', (flag, text) => {
    expect(parseFilters(probe.spec, { [flag]: [text] }, null, noNames)).toHaveLength(1)
  })
})
