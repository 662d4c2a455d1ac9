import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { listBytes, listOf, withAttachPoints } from '../../src/host/attach-point-cache.ts'
import { type AttachType, attachTypes } from '../../src/host/attach-points.ts'

const names = {
  tracepoint: ['sock:inet_sock_set_state', 'tcp:tcp_probe'],
  rawtracepoint: ['inet_sock_set_state'],
  kprobe: [
    'nf_nat:nf_nat_setup_info',
    'tcp_connect',
    'tcp_ipv6:tcp_connect',
    'tcp_connect.part.0',
    'tcp_connect_init',
    'tcp_v4_connect',
  ],
  fentry: ['tcp_connect'],
  syscall: [],
}
const made = { names, gaps: { syscall: 'no tracefs' }, repeated: ['tcp_connect'] }
const list = listOf(listBytes(made))
const linesOf = (type: AttachType, all: readonly string[] = names[type]) =>
  all.map((name) => `${type}:${name}\n`).join('')

describe('a list of attach points', () => {
  it.each(attachTypes)('has the lines of %s', (type) => {
    expect(list.textOf(type)).toBe(linesOf(type))
  })

  it('has all of them, and what is told of them', () => {
    expect(list.textOf(null)).toBe(attachTypes.map((type) => linesOf(type)).join(''))
    expect(list.gaps).toEqual({ syscall: 'no tracefs' })
    expect(list.repeated).toBe(' tcp_connect ')
  })

  it.each([
    ['tcp_connect', names.kprobe.slice(1, 5)],
    ['tcp_connect.', ['tcp_connect.part.0']],
    ['nf_nat_setup_info', ['nf_nat:nf_nat_setup_info']],
    ['a', []],
    ['tcp_connect0', []],
    ['zzz', []],
    ['tcp_v4_connect', ['tcp_v4_connect']],
  ])('finds the functions whose own names begin with %s', (prefix, expected) => {
    expect(list.textFrom('kprobe', prefix)).toBe(linesOf('kprobe', expected))
    expect(
      listOf(listBytes({ ...made, names: { ...names, kprobe: [] } })).textFrom('kprobe', prefix),
    ).toBe('')
  })

  it('is none where its file was cut, or is another', () => {
    const bytes = listBytes(made)
    for (let length = 0; length < bytes.length; length += 7)
      expect(() => listOf(bytes.subarray(0, length))).toThrow(/no head/)
    expect(() => listOf(Buffer.from('{}\nkprobe:tcp_connect\n'))).toThrow(/no head/)
  })

  it('of 5,000 names finds the same as a look at each, whatever is asked', () => {
    const word = (seed: number) => ((seed * 2654435761) >>> 7).toString(36)
    const many = [...new Set(Array.from({ length: 5000 }, (_, at) => word(at)))].sort()
    const large = listOf(listBytes({ ...made, names: { ...names, kprobe: many } }))

    for (let at = 0; at < 500; at++) {
      const prefix = word(at * 7).slice(0, 1 + (at % 4))
      expect(large.textFrom('kprobe', prefix)).toBe(
        linesOf(
          'kprobe',
          many.filter((name) => name.startsWith(prefix)),
        ),
      )
    }
  })
})

const home = mkdtempSync(join(tmpdir(), 'ebpf-run-cache-'))
afterAll(() => rmSync(home, { recursive: true }))

describe('the list of this kernel', () => {
  const env = { PATH: process.env['PATH'], XDG_CACHE_HOME: home }

  it('is the same when it is read again, and sorted so that each function is found by its own name', async () => {
    const text = await withAttachPoints(env, (of) => of.textOf('fentry'))
    const again = await withAttachPoints(env, (of) => of.textOf('fentry'))
    const some = text.split('\n').filter((_, at) => at % 997 === 0 && at > 0)

    expect(again).toBe(text)
    expect(some.length).toBeGreaterThan(5)
    await withAttachPoints(env, (of) => {
      for (const line of some)
        expect(of.textFrom('fentry', line.slice('fentry:'.length))).toContain(`${line}\n`)
    })
  })
})
