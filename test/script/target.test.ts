import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { scriptOf } from '../../src/commands/script-target.ts'
import { errorOf } from '../error-of.ts'

const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-script-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(content: string | Buffer): string {
  const path = join(folder, 'own.bt')
  writeFileSync(path, content)
  return path
}

const source = 'kprobe:f { printf("%d %d %s\\n", $1, pid, str($2)); }'
const tableOf = (...words: string[]) =>
  scriptOf([fileOf(source), ...words]).probe.spec.events['f']?.table

describe('the words behind a script', () => {
  test('are its arguments, negative numbers among them, then options', () => {
    const { probe, rest, untyped } = scriptOf([
      fileOf(source),
      '-5',
      'a b',
      '--json',
      '--',
      'ls',
      '-l',
    ])

    expect(probe.templates['bpftrace']).toContain('= (-5)\n')
    expect(probe.templates['bpftrace']).toContain('= "\\x61\\x20\\x62"\n')
    expect(rest).toEqual(['--json', '--', 'ls', '-l'])
    expect(untyped).toEqual([])
    expect(probe.spec.summary).toMatch(/^own\.bt:/)
  })

  test.each([
    [['1', 'a', '--fields', 'f:x,y'], ['time', 'x', 'y', 'arg_2'], []],
    [['1', 'a', '--fields=f:x', '--json'], ['time', 'x', 'pid', 'arg_2'], ['--json']],
    // Without a colon it selects, as everywhere.
    [
      ['1', 'a', '--fields', 'pid'],
      ['time', 'arg_1', 'pid', 'arg_2'],
      ['--fields', 'pid'],
    ],
    [
      ['1', '--', 'x', '--fields', 'f:x'],
      ['time', 'arg_1', 'pid', 'arg_2'],
      ['--', 'x', '--fields', 'f:x'],
    ],
  ])('%j', (words, table, rest) => {
    expect(tableOf(...words)).toEqual(table)
    expect(scriptOf([fileOf(source), ...words]).rest).toEqual(rest)
  })

  test.each([
    '',
    'A',
    'a b',
    '9a',
    'x}}',
    'time',
    'ktime_ns',
    'cpu',
    'event',
    'cut',
    'escaped',
    '__proto__',
    'constructor',
    'x'.repeat(65),
  ])('%j is no name of a value', (name) => {
    expect(errorOf(() => tableOf('1', 'a', '--fields', `f:${name}`)).code).toBe('BAD_VALUE')
  })

  test('let it act on the machine only by --unsafe of its own', () => {
    const path = fileOf('kprobe:f { system("id"); }')

    expect(errorOf(() => scriptOf([path])).code).toBe('UNSAFE_SCRIPT')
    expect(errorOf(() => scriptOf([path, '--', 'x', '--unsafe'])).code).toBe('UNSAFE_SCRIPT')
    expect(scriptOf([path, '--unsafe']).probe.spec.script).toEqual({ unsafe: true })
  })

  test('have no options that count in the kernel or choose a variant', () => {
    const names = scriptOf([fileOf(source)]).options.map(({ name }) => name)

    expect(names).toContain('unsafe')
    for (const name of ['summary', 'hist', 'variant', 'backend']) expect(names).not.toContain(name)
  })
})

test.each([
  ['a NUL character', 'kprobe:f { }\0'],
  ['1048577 bytes', ' '.repeat(1_048_577)],
])('a file with %s is no script', (found, content) => {
  expect(errorOf(() => scriptOf([fileOf(content)]))).toMatchObject({ code: 'BAD_SCRIPT', found })
})

test('a file that there is not is no script', () => {
  expect(errorOf(() => scriptOf([join(folder, 'none.bt')]))).toMatchObject({
    code: 'BAD_SCRIPT',
    found: 'ENOENT',
  })
})

describe('a script with bytes that are not UTF-8', () => {
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

  test('is refused with the line: bpftrace would be given others', () => {
    const path = fileOf(bytes('kprobe:f {\n @["a\nb\xff\xfe"] = 1; }'))
    expect(errorOf(() => scriptOf([path]))).toMatchObject({
      code: 'BAD_VALUE',
      message: 'line 3: bytes that are not UTF-8',
      remedy: expect.stringMatching(/\\xHH.*iconv/) as string,
    })
  })

  test('in comments alone is taken, as is all of UTF-8', () => {
    const path = fileOf(bytes('// \xa9 1999\nkprobe:f { /* \xff */ printf("\xc3\xa9\\n"); }'))
    expect(scriptOf([path]).probe.spec.events['text']?.fields['text']?.names).toEqual({ 1: 'é\n' })
  })
})
