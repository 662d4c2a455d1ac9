import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elfFunctions, elfUsdt } from '../../src/host/elf.ts'
import { no, yes } from '../../src/host/fact.ts'
import { findLibraries, findUserFile, judgeUprobes } from '../../src/host/libraries.ts'
import { readBytes, readHost } from '../../src/host/read.ts'
import { readFrom } from './fake-read.ts'

const functions = ['getaddrinfo', 'gethostbyname', 'no_such_function'] as const
const asked = functions.map((name) => ({ library: 'libc', function: name }))
const here = findLibraries(asked, { read: readHost, readBytes })['libc']

describe('the C library of this machine', () => {
  it('is found, with the functions that it has', () => {
    expect(here?.path).toMatch(/^\/.*(?:libc|musl)/)
    expect(here?.functions).toMatchObject({
      getaddrinfo: { is: 'yes' },
      gethostbyname: { is: 'yes' },
      no_such_function: { is: 'no' },
    })
  })

  it('is not read past its end, wherever it was cut or damaged', () => {
    const whole = readFileSync(here?.path ?? '')

    fc.assert(
      fc.property(
        fc.nat({ max: whole.length }),
        fc.nat({ max: 200 }),
        fc.nat({ max: 255 }),
        (length, at, byte) => {
          const damaged = Buffer.from(whole.subarray(0, length))
          if (at < damaged.length) damaged[at] = byte
          const found = elfFunctions(damaged)
          const marks = elfUsdt(damaged)
          expect(found === null || Array.isArray(found)).toBe(true)
          expect(marks === null || Array.isArray(marks)).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
    for (const read of [elfFunctions, elfUsdt]) {
      expect(read(Buffer.from('#!/bin/sh\n'))).toBeNull()
      expect(read(Buffer.alloc(0))).toBeNull()
    }
  })
})

describe('a library', () => {
  const found = (maps: string, files: readonly string[]) =>
    findLibraries(asked, {
      read: readFrom({ '/proc/self/maps': maps }),
      readBytes: (path) =>
        files.includes(path) ? { bytes: readFileSync(here?.path ?? '') } : { errno: 'ENOENT' },
    })['libc']
  const line = (path: string) => `7f00-7f01 r-xp 00000000 fd:00 1234    ${path}\n`

  it('is the one that this process has loaded, not one that was deleted', () => {
    const maps = `${line('/opt/libcurl.so.4')}${line('/opt/libc.so.6 (deleted)')}${line('/opt/libc-2.31.so')}`

    expect(found(maps, ['/opt/libc-2.31.so', '/lib64/libc.so.6'])?.path).toBe('/opt/libc-2.31.so')
  })

  it('is looked for where it usually lies when none is loaded', () => {
    expect(found('', ['/lib64/libc.so.6'])?.path).toBe('/lib64/libc.so.6')
  })

  it('that is nowhere has no functions', () => {
    expect(found('', [])).toMatchObject({ path: null, functions: { getaddrinfo: { is: 'no' } } })
  })

  it('that nobody asked for is not looked for', () => {
    expect(findLibraries([], { read: readHost, readBytes })).toEqual({})
  })
})

describe('the functions and marks of a file', () => {
  it('are those that its symbols and notes tell of', () => {
    const cpp = readFileSync(findUserFile('libstdc++', readHost, () => null) ?? '')
    const names = elfFunctions(cpp)?.map(({ name }) => name)

    expect(names).toContain('_Znwm')
    expect(elfUsdt(cpp)).toContainEqual(
      expect.objectContaining({
        provider: 'libstdcxx',
        name: 'throw',
        arguments: expect.stringMatching(/^8@%r\w+ 8@%r\w+$/),
      }),
    )
  })

  it('tell a function that only chooses another', () => {
    const bytes = readFileSync(here?.path ?? '')
    const chosen = elfFunctions(bytes)?.find(({ name }) => name === 'memcpy')

    expect(chosen).toMatchObject({ isIndirect: true })
  })
})

describe('a file that a user means', () => {
  it.each([
    ['/opt/own', '/opt/own'],
    ['libc', expect.stringMatching(/^\/.*libc/)],
    ['libstdc++', expect.stringMatching(/\/libstdc\+\+\.so\.6$/)],
    ['sh', '/found/sh'],
    ['libnone', '/found/libnone'],
  ])('%s is %s', (name, path) => {
    expect(findUserFile(name, readHost, (program) => `/found/${program}`)).toEqual(path)
  })
})

describe('judgeUprobes', () => {
  const software = { '/sys/bus/event_source/devices/software/type': '1\n' }
  const device = { '/sys/bus/event_source/devices/uprobe/type': '7\n' }

  it('says what the perf devices say', () => {
    expect(judgeUprobes(readFrom({ ...software, ...device }), no('')).is).toBe('yes')
    expect(judgeUprobes(readFrom(software), no('')).is).toBe('no')
    expect(judgeUprobes(readFrom({}), no('')).is).toBe('unknown')
    expect(judgeUprobes(readFrom({ ...software, ...device }), yes('integrity')).is).toBe('no')
  })
})
