import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FieldSpec, ProbeSpec } from '../../src/schema/define.ts'
import { fieldsMarkdown } from '../../src/schema/docs.ts'
import { jsonSchema } from '../../src/schema/json-schema.ts'
import { flagsNumber, flagsText, withNames } from '../../src/schema/names.ts'
import { openFlags } from '../../src/schema/open-flags.ts'
import { sockets } from '../sinks/helpers.ts'

const reason = {
  kind: 'enum',
  doc: 'why',
  namesFrom: { tracepoint: 'skb:kfree_skb', field: 'reason' },
} as const satisfies FieldSpec
const flags = {
  kind: 'enum',
  doc: 'flags',
  flags: ['FIN', 'SYN', 'RST'],
} as const satisfies FieldSpec
const probe: ProbeSpec = {
  ...sockets,
  events: { drop: { doc: 'a drop', fields: { reason, flags }, table: ['reason'] } },
}
const namesOf = (named: ProbeSpec, field: string) => named.events['drop']?.fields[field]?.names

describe('the names of enums on a host', () => {
  test('are those of its tracepoint', () => {
    const fields = [{ name: 'skbaddr' }, { name: 'reason', names: { 3: 'NO_SOCKET' } }]

    expect(namesOf(withNames(probe, { 'skb:kfree_skb': fields }), 'reason')).toEqual({
      3: 'NO_SOCKET',
    })
  })

  test.each([
    ['has no such tracepoint', { 'skb:kfree_skb': null }],
    ['was not asked', {}],
    ['spells no names', { 'skb:kfree_skb': [{ name: 'reason' }] }],
  ])('are none where the host %s', (_, tracepoints) => {
    expect(namesOf(withNames(probe, tracepoints), 'reason')).toEqual({})
  })

  test('of flags are joined, with what has none at the end, and lead back to the number', () => {
    expect([0, 1, 6, 7, 8, 13].map((number) => flagsText(number, flags.flags))).toEqual([
      'NONE',
      'FIN',
      'SYN|RST',
      'FIN|SYN|RST',
      'UNKNOWN_8',
      'FIN|RST|UNKNOWN_8',
    ])
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), (number) => {
        expect(flagsNumber(flagsText(number, openFlags), openFlags)).toBe(number)
      }),
    )
    expect(['FIN|NO', '', 'FIN|'].map((text) => flagsNumber(text, flags.flags))).toEqual([
      null,
      null,
      null,
    ])
  })
})

test('a schema takes any name of the kernel, and flags joined', () => {
  expect(jsonSchema(probe)).toMatchObject({
    properties: {
      reason: { type: 'string' },
      flags: {
        type: 'string',
        pattern: '^(NONE|(FIN|SYN|RST|UNKNOWN_[0-9]+)([|](FIN|SYN|RST|UNKNOWN_[0-9]+))*)$',
      },
    },
  })
  expect(jsonSchema(probe)).not.toHaveProperty('properties.reason.pattern')
})

test('the reference says where the names come from', () => {
  const page = fieldsMarkdown(probe)

  expect(page).toContain('| name, as the running kernel spells it |')
  expect(page).toContain(String.raw`| FIN, SYN, RST, joined by \|, or NONE |`)
})
