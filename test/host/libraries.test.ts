import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elfFunctions } from '../../src/host/elf.ts'
import { no, yes } from '../../src/host/fact.ts'
import { findLibraries, judgeUprobes } from '../../src/host/libraries.ts'
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
          const found = elfFunctions(damaged, functions)
          expect(found === null || Object.keys(found).length === 3).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
    expect(elfFunctions(Buffer.from('#!/bin/sh\n'), functions)).toBeNull()
    expect(elfFunctions(Buffer.alloc(0), functions)).toBeNull()
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
