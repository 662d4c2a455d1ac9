import fc from 'fast-check'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { requireFreePlace, requireNewName, writeProbe } from '../../src/catalog/write-probe.ts'
import { EbpfRunError } from '../../src/errors.ts'

const base = mkdtempSync(join(tmpdir(), 'ebpf-run-write-'))
const folder = join(base, 'a/probes')
afterAll(() => rmSync(base, { recursive: true, force: true }))
beforeEach(() => rmSync(join(base, 'a'), { recursive: true, force: true }))

const files = { 'a.txt': { text: 'a\n' }, 'b.sh': { text: 'b\n', isProgram: true } } as const

const pieces = fc.constantFrom(
  ...[
    '..',
    '/',
    '.',
    '../x',
    '; rm -r .',
    '$(id)',
    '`id`',
    '\0',
    '\n',
    ' ',
    '-',
    '--',
    '_',
    'a',
    'Z',
    '9',
    'é',
    '\u202e',
    '名',
    '%2e',
  ],
  ...[
    '\\',
    '"',
    "'",
    '*',
    '~',
    '|',
    '&',
    '\u001b[2J',
    'x'.repeat(70),
    'con',
    '__proto__',
    'constructor',
  ],
)
const hostile = fc.oneof(
  fc.array(pieces, { minLength: 0, maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc
    .tuple(fc.constantFrom('../', './', '/', 'a/'), fc.constantFrom('x', 'etc', 'probes'))
    .map((parts) => parts.join('')),
)

describe('a name', () => {
  test(
    'of 10,000 hostile ones is a plain word or refused, and no other is looked for',
    { timeout: 60_000 },
    async () => {
      let taken = 0
      await fc.assert(
        fc.asyncProperty(hostile, async (name) => {
          await expect(loadProbe(name, { folder, isAllowed: true })).rejects.toMatchObject({
            code: 'UNKNOWN_PROBE',
          })
          try {
            requireNewName(name, ['trace'])
          } catch (error) {
            expect(error).toBeInstanceOf(EbpfRunError)
            return
          }
          taken += 1
          expect(name).toMatch(/^[a-z][a-z0-9_-]*$/)
          expect(resolve(folder, name)).toBe(`${folder}/${name}`)
          writeProbe(folder, name, files)
          expect(readdirSync(folder)).toContain(name)
          rmSync(join(folder, name), { recursive: true })
        }),
        { numRuns: 10_000 },
      )
      expect(readdirSync(base).filter((each) => each !== 'a')).toEqual([])
      expect(readdirSync(join(base, 'a')).filter((each) => each !== 'probes')).toEqual([])
      expect(taken).toBeGreaterThan(0)
    },
  )

  test.each(['', '../x', '; rm', 'A', '1a', '-a', 'a b', 'é', 'a\n', 'a/b', '.a', 'x'.repeat(65)])(
    '%j is none',
    (name) => {
      expect(() => requireNewName(name, [])).toThrow(/a name for the probe was expected/)
    },
  )

  test.each(['tcpconnect', 'tcpretrans', 'trace', 'help'])('%s is taken', (name) => {
    expect(() => requireNewName(name, ['trace'])).toThrow(/already a probe or a command/)
  })
})

describe('the folder of a probe', () => {
  test('is written with its parents, readable by all and writable by its owner alone', () => {
    const before = process.umask(0)
    const path = writeProbe(folder, 'mine', files)
    process.umask(before)

    const modeOf = (name: string) => statSync(join(path, name)).mode & 0o777
    expect(readdirSync(folder)).toEqual(['mine'])
    expect([modeOf('.'), modeOf('..'), modeOf('a.txt'), modeOf('b.sh')]).toEqual([
      0o755, 0o755, 0o644, 0o755,
    ])
  })

  test('is there whole or not at all', () => {
    const broken = { ...files, 'no/such/place': { text: '' } }

    expect(() => writeProbe(folder, 'mine', broken)).toThrow(/ENOENT/)
    expect(readdirSync(folder)).toEqual([])
  })

  test('never takes the place of another', () => {
    writeProbe(folder, 'mine', files)

    expect(() => writeProbe(folder, 'mine', { 'c.txt': { text: '' } })).toThrow(/ENOTEMPTY|EEXIST/)
    expect(readdirSync(folder)).toEqual(['mine'])
    expect(readdirSync(join(folder, 'mine'))).toEqual(['a.txt', 'b.sh'])
  })

  test.each([
    ['a folder', (path: string) => mkdirSync(path)],
    ['a file', (path: string) => writeFileSync(path, '')],
    ['a link that leads nowhere', (path: string) => symlinkSync('/no/such', path)],
  ])('has no place where %s is', (_, make) => {
    mkdirSync(folder, { recursive: true })
    make(join(folder, 'mine'))

    expect(() => requireFreePlace(folder, 'mine', true)).toThrow(
      expect.objectContaining({ code: 'PROBE_EXISTS' }),
    )
  })

  test.skipIf(process.geteuid?.() !== 0)('is not written by root where others can write', () => {
    mkdirSync(join(base, 'a'))
    chmodSync(join(base, 'a'), 0o777)

    // The temporary folder is for all to write.
    expect(() => requireFreePlace(folder, 'mine')).toThrow(
      expect.objectContaining({
        code: 'UNTRUSTED_PROBE',
        found: expect.stringMatching(/: owner 0, mode 1?777$/) as string,
      }),
    )
    expect(() => requireFreePlace('/run/no-such/probes', 'mine')).not.toThrow()
  })
})
