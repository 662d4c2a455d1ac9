import { describe, expect, test } from 'vitest'
import type { KeyPart } from '../../src/schema/define.ts'
import { readMapDump } from '../../src/wire/map-dump.ts'
import { mapName, withOwnNames } from '../../src/wire/map-names.ts'
import { token } from './harness.ts'

const name = mapName(token, 'a')

/** What is read of a dump in which @ stands for the map's name on the wire. */
const read = (text: string, key: readonly KeyPart[], value: KeyPart = 'number') =>
  readMapDump(
    text.split('\n').map((line) => line.replace(/^@(?=[[:])/, name)),
    name,
    { key, value },
  )

describe('an entry of a map', () => {
  test.each<[string, readonly KeyPart[], KeyPart, unknown]>([
    ['@: 5', [], 'number', { key: null, value: 5 }],
    ['@: -5', [], 'number', { key: null, value: -5 }],
    ['@[1]: 5', ['number'], 'number', { key: [1], value: 5 }],
    [
      '@[1]: 18446744073709551615',
      ['number'],
      'number',
      { key: [1], value: '18446744073709551615' },
    ],
    ['@[1]: 9007199254740991', ['number'], 'number', { key: [1], value: 9007199254740991 }],
    ['@[1]: 9007199254740993', ['number'], 'number', { key: [1], value: '9007199254740993' }],
    ['@[sh]: 5', ['text'], 'number', { key: ['sh'], value: 5 }],
    ['@[12]: 5', ['text'], 'number', { key: ['12'], value: 5 }],
    ['@[12]: 5', ['any'], 'any', { key: [12], value: 5 }],
    ['@[12]: 5', [], 'any', { key: [12], value: 5 }],
    ['@[sh, 12]: 5', ['text', 'number'], 'number', { key: ['sh', 12], value: 5 }],
    ['@[1,2]: 5', ['number', 'number'], 'number', { key: [1, 2], value: 5 }],
    ['@[1]: sh', ['number'], 'text', { key: [1], value: 'sh' }],
    ['@[1]: 12', ['number'], 'text', { key: [1], value: '12' }],
    ['@[1]: ', ['number'], 'text', { key: [1], value: '' }],
    ['@[1]:  a ', ['number'], 'text', { key: [1], value: ' a ' }],
    ['@[1]: a\nb', ['number'], 'text', { key: [1], value: 'a\nb' }],
    ['@[]: 5', ['text'], 'number', { key: [''], value: 5 }],
    ['@[1]: (1, 2)', ['number'], 'any', { key: [1], value: '(1, 2)' }],
    ['@[1]: \n\n    f+1\n    g+2\n', ['number'], 'stack', { key: [1], value: ['f+1', 'g+2'] }],
    ['@[\n    f+1\n    g+2\n]: 5', ['stack'], 'number', { key: [['f+1', 'g+2']], value: 5 }],
    [
      '@[\n    f+1\n    g+2\n, sh]: 5',
      ['stack', 'text'],
      'number',
      { key: [['f+1', 'g+2'], 'sh'], value: 5 },
    ],
    [
      '@[sh]: count 2, average -3, total -6',
      ['text'],
      'number',
      { key: ['sh'], count: 2, average: -3, total: -6 },
    ],
    [
      '@: { .count = 2, .average = 3, .total = 6 }',
      [],
      'number',
      { key: null, count: 2, average: 3, total: 6 },
    ],
    [
      '@[1]: count 2, average 3, total 6',
      ['number'],
      'text',
      { key: [1], value: 'count 2, average 3, total 6' },
    ],
  ])('%j with keys %j and value %s', (text, key, value, entry) => {
    expect(read(text, key, value)).toEqual([entry])
  })

  test('follows the one before, empty lines between them', () => {
    expect(read('@[1]: 5\n@[2]: 6\n\n@[3]: 7\n', ['number'])).toEqual([
      { key: [1], value: 5 },
      { key: [2], value: 6 },
      { key: [3], value: 7 },
    ])
    expect(read('', ['number'])).toEqual([])
  })

  test.each(['x\n@[1]: 5', '@other[1]: 5', '@[1] 5', '@[1', 'ERROR: @: 5'])(
    '%j is in no known form',
    (text) => {
      expect(read(text, ['number'])).toBeNull()
    },
  )
})

describe('a histogram', () => {
  test.each([
    [
      '@: \n[0]                    3 |@@@ |\n[1]      1 |@|\n[2, 4)       2 |@@   |\n[1K, 2K)    0 |   |\n[1M, 2M)  1 |@ |\n\n',
      [
        { ge: 0, lt: 1, count: 3 },
        { ge: 1, lt: 2, count: 1 },
        { ge: 2, lt: 4, count: 2 },
        { ge: 1024, lt: 2048, count: 0 },
        { ge: 2 ** 20, lt: 2 ** 21, count: 1 },
      ],
    ],
    ['@:\n(..., 0)   1 |@|', [{ ge: null, lt: 0, count: 1 }]],
    [
      '@: \n(..., -5)   1 |@|\n[-5, 5)  2 |@@|\n[100, ...)   4 |@@@@|',
      [
        { ge: null, lt: -5, count: 1 },
        { ge: -5, lt: 5, count: 2 },
        { ge: 100, lt: null, count: 4 },
      ],
    ],
    ['@: \n[4E, 8E)  1 |@|', [{ ge: 2 ** 62, lt: 2 ** 63, count: 1 }]],
  ])('%j', (text, buckets) => {
    expect(read(text, [])).toEqual([{ key: null, buckets }])
  })

  test('has a key, that may hold anything', () => {
    expect(read('@[a]: \n[0] 5 |@|]: \n[1]  2 |@@|\n@[b]: \n[1]  1 |@|', ['text'])).toEqual([
      { key: ['a]: \n[0] 5 |@|'], buckets: [{ ge: 1, lt: 2, count: 2 }] },
      { key: ['b'], buckets: [{ ge: 1, lt: 2, count: 1 }] },
    ])
  })
})

describe('what a traced process wrote', () => {
  test.each<[string, string, readonly KeyPart[], KeyPart, unknown]>([
    ['ends a key', '@[a]: 5]: 7', ['text'], 'number', { key: ['a]: 5'], value: 7 }],
    ['has lines', '@[a\nb\n]: 7', ['text'], 'number', { key: ['a\nb\n'], value: 7 }],
    [
      'is another entry',
      '@[x]: 1\n@other[x]: 1\n@y: 2]: 7',
      ['text'],
      'number',
      { key: ['x]: 1\n@other[x]: 1\n@y: 2'], value: 7 },
    ],
    [
      'is a value with an end of a key',
      '@[1]: a]: 5',
      ['number'],
      'text',
      { key: [1], value: 'a]: 5' },
    ],
    [
      'is a value with another entry',
      '@[1]: a\n@other[x]: 1',
      ['number'],
      'text',
      { key: [1], value: 'a\n@other[x]: 1' },
    ],
    [
      'is a bucket',
      '@[1]: \n[0]  5 |@@@|',
      ['number'],
      'text',
      { key: [1], value: '\n[0]  5 |@@@|' },
    ],
    [
      'has commas beside numbers',
      '@[1, a, 3, b, 2]: 7',
      ['number', 'text', 'number'],
      'number',
      { key: [1, 'a, 3, b', 2], value: 7 },
    ],
    [
      'has commas beside a text',
      '@[a, b, c]: 7',
      ['text', 'text'],
      'number',
      { key: ['a, b, c'], unsplit: true, value: 7 },
    ],
    [
      'could end its key in two places',
      '@[a]: b]: c',
      ['text'],
      'text',
      { key: ['a]: b]: c'], value: '', unsplit: true },
    ],
    [
      'could end a key of any kind',
      '@[a]: b]: c',
      ['any'],
      'any',
      { key: ['a]: b]: c'], value: '', unsplit: true },
    ],
  ])('%s', (_what, text, key, value, entry) => {
    expect(read(text, key, value)).toEqual([entry])
  })
})

test("the names of maps are the script's own again", () => {
  expect(mapName(token, '')).toBe(`@u_${token}`)
  expect(withOwnNames(`${name}[1]: 5 ${mapName(token, '')}: 6 @x`, token)).toBe('@a[1]: 5 @: 6 @x')
})
