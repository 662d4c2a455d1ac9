import { expect, test } from 'vitest'
import { linesIn, parsePattern } from '../../src/attach/pattern.ts'
import { nearNames } from '../../src/attach/suggest.ts'
import { editDistance } from '../../src/catalog/nearest.ts'
import { EbpfRunError } from '../../src/errors.ts'

const types = ['tracepoint', 'kprobe', 'fentry'] as const
const lines = [
  'tracepoint:sock:inet_sock_set_state',
  'tracepoint:tcp:tcp_probe',
  'kprobe:nf_nat:nf_nat_setup_info',
  'kprobe:tcp_connect',
  'kprobe:tcp_v4_connect',
  'kprobe:tcp_v6_connect',
  'fentry:tcp_v4_connect',
]
const text = lines.map((line) => `${line}\n`).join('')
const found = (pattern: string) => linesIn(text, parsePattern(pattern, types))

test.each([
  ['kprobe:tcp_v4_connect', ['kprobe:tcp_v4_connect']],
  ['kprobe:tcp_v?_connect', ['kprobe:tcp_v4_connect', 'kprobe:tcp_v6_connect']],
  ['*v4_connect', ['kprobe:tcp_v4_connect', 'fentry:tcp_v4_connect']],
  ['tracepoint:sock:*', ['tracepoint:sock:inet_sock_set_state']],
  ['nf_nat:*', ['kprobe:nf_nat:nf_nat_setup_info']],
  ['kprobe:/^tcp_(v4_)?connect$/', ['kprobe:tcp_connect', 'kprobe:tcp_v4_connect']],
  ['kprobe:/v6/', ['kprobe:tcp_v6_connect']],
  ['kprobe:tcp_v.*', []],
  ['kprobe:tcp', []],
  ['tcp_v4_connect|x', []],
])('%s finds what it says, and nothing else', (pattern, expected) => {
  expect(found(pattern)).toEqual(expected)
})

test.each(['', 'kprobe:', 'a\nb', 'x'.repeat(601)])('%j is no pattern', (pattern) => {
  expect(() => parsePattern(pattern, types)).toThrow(EbpfRunError)
})

test('an expression that cannot be read is an error that shows it', () => {
  expect(() => parsePattern('kprobe:/((/', types)).toThrow(/cannot be read/)
})

test('a mistyped name leads to the names that are near, the nearest first', () => {
  expect(nearNames('tcp_v4_conect', lines.slice(3), editDistance)).toEqual([
    'kprobe:tcp_v4_connect',
    'fentry:tcp_v4_connect',
    'kprobe:tcp_v6_connect',
  ])
  expect(nearNames('sock_set_state', lines, editDistance)).toEqual([
    'tracepoint:sock:inet_sock_set_state',
  ])
  expect(nearNames('zebra', lines, editDistance)).toEqual([])
})
