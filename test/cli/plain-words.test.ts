import { expect, test } from 'vitest'
import { parseWords } from '../../src/commands/frame.ts'
import { plainWords } from '../../src/commands/plain-words.ts'
import type { RunOption } from '../../src/commands/options.ts'
import type { Target } from '../../src/commands/target.ts'

const options: readonly RunOption[] = [
  { name: 'output', short: 'o', metavar: 'FORMAT', choices: ['table', 'json'], doc: '' },
  { name: 'attach-points', metavar: 'PATTERN', doc: '' },
  { name: 'utc', boolean: true, doc: '' },
]
const target: Target = {
  name: 'list',
  title: 'list',
  usage: 'list',
  doc: '',
  epilogue: '',
  options,
  probe: null,
  takesCommand: true,
  run: async () => 0,
}

test.each([
  [[]],
  [['--attach-points', 'kprobe:tcp_*']],
  [['--attach-points', 'a b', '--output', 'json', '--attach-points', '!x']],
])('reads what yargs reads: %j', (words) => {
  expect(plainWords(words, options)).toEqual(parseWords(target, words))
})

test.each([
  [['-o', 'json']],
  [['--output=json']],
  [['--output']],
  [['--output', '-']],
  [['--output', '']],
  [['--utc']],
  [['--nope', 'x']],
  [['word']],
  [['--output', 'json', '--']],
  [['--help']],
])('leaves all else to yargs: %j', (words) => {
  expect(plainWords(words, options)).toBeNull()
})
