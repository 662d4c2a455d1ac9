import { describe, expect, it } from 'vitest'
import { loadProbe } from '../../src/catalog/load.ts'
import { EbpfRunError } from '../../src/errors.ts'
import type { Fact, HostFacts } from '../../src/host/facts.ts'
import { checkNeed } from '../../src/plan/needs.ts'
import { makePlan, placeholderToken } from '../../src/plan/plan.ts'
import { factsFor, handmadeFacts } from './handmade-facts.ts'
import { handmadeProbe } from './handmade-probe.ts'

const yes: Fact = { is: 'yes', evidence: 'handmade' }
const need = { uprobe: 'getaddrinfo', library: 'libc' } as const

/** A machine whose C library lies there. */
const withLibc = (path: string | null): Partial<HostFacts> => ({
  bpftrace: { found: yes, path: '/usr/bin/bpftrace', version: '0.17.0' },
  uprobes: yes,
  libraries: {
    libc: {
      path,
      functions: { getaddrinfo: path === null ? { is: 'no', evidence: 'none' } : yes },
    },
  },
})

/** The attach points of a uprobe and a uretprobe. */
function rendered(facts: Partial<HostFacts>, needs: readonly (typeof need)[] = [need]): string {
  const [variant] = handmadeProbe().spec.variants
  if (variant === undefined) throw new Error('no variant')
  const fields = ['netns', 'laddr', 'lport', 'raddr', 'rport', 'result']
  const cannotTell = Object.fromEntries(fields.map((name) => [name, 'not needed']))
  const probe = handmadeProbe({
    template:
      '{{uprobe libc getaddrinfo}},{{uretprobe libc getaddrinfo}}\n{ {{emit thing\n task\n}} }',
    spec: { variants: [{ ...variant, needs, cannotTell }] },
  })
  const request = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }
  return makePlan(probe, request, handmadeFacts(facts)).render({
    token: placeholderToken,
    childPid: null,
    ownPid: null,
    commandPid: null,
  })
}

describe('a need for a function of a library', () => {
  const check = (facts: Partial<HostFacts>) => checkNeed(need, handmadeFacts(facts), null).is

  it('holds where uprobes work and the library has it', () => {
    expect(check(withLibc('/usr/lib/x86_64-linux-gnu/libc.so.6'))).toBe('yes')
  })

  it('does not hold where one of them is missing', () => {
    expect(check(withLibc(null))).toBe('no')
    expect(check({ ...withLibc('/lib/libc.so.6'), uprobes: { is: 'no', evidence: '' } })).toBe('no')
  })

  it('is unknown where nobody looked', () => {
    expect(check({})).toBe('unknown')
    expect(check({ uprobes: yes })).toBe('unknown')
    expect(check({ uprobes: yes, libraries: { libc: { path: '/libc', functions: {} } } })).toBe(
      'unknown',
    )
  })
})

describe('the attach point of a uprobe', () => {
  it('has the path and the function', () => {
    expect(rendered(withLibc('/lib/libc-2.31.so'))).toContain(
      'uprobe:/lib/libc-2.31.so:getaddrinfo,uretprobe:/lib/libc-2.31.so:getaddrinfo',
    )
  })

  it.each([
    '/lib/a:b/libc.so.6',
    '/lib/a b/libc.so.6',
    '/lib/*/libc.so.6',
    '/lib/"/libc.so.6',
    '/lib/a\n/libc.so.6',
    '/lib/libc.so.6 { system("id") }',
    '/lib//libc.so.6',
    'libc.so.6',
    '/lib/é/libc.so.6',
  ])('is never made from a path that means more to bpftrace: %s', (path) => {
    expect(checkNeed(need, handmadeFacts(withLibc(path)), null).is).toBe('no')
    expect(() => rendered(withLibc(path))).toThrow(expect.objectContaining({ code: 'NO_VARIANT' }))
    expect(() => rendered(withLibc(path), [])).toThrow(
      expect.objectContaining({ code: 'BAD_DEFINITION' }),
    )
  })
})

describe('needs that fail for one reason', () => {
  it('are told once, with how many they are', () => {
    const other = { uprobe: 'gethostbyname', library: 'libc' } as const
    const facts = withLibc('/lib/libc.so.6')
    const no: Fact = { is: 'no', evidence: 'no libc was found' }
    const missing = { path: null, functions: { getaddrinfo: no, gethostbyname: no } }
    const both = { ...facts, libraries: { libc: missing } }
    const reasonsOf = (needs: readonly (typeof need | typeof other)[]) => {
      const [variant] = handmadeProbe().spec.variants
      if (variant === undefined) throw new Error('no variant')
      const probe = handmadeProbe({ spec: { variants: [{ ...variant, needs }] } })
      const request = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }
      try {
        makePlan(probe, request, handmadeFacts(both))
        return ''
      } catch (error) {
        return error instanceof EbpfRunError ? error.found : String(error)
      }
    }

    expect(reasonsOf([need])).toMatch(/needs uprobe on getaddrinfo of libc: /)
    expect(reasonsOf([need, other])).toMatch(/needs uprobe on getaddrinfo of libc and 1 more: /)
  })
})

describe('name lookups', () => {
  it.each([
    ['0.21.3', 'uprobe'],
    ['0.22.0', 'bcc'],
    ['0.27.1', 'bcc'],
  ])('are traced beside bpftrace %s by %s', async (version, variant) => {
    const probe = await loadProbe('dns')
    const request = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }

    expect(makePlan(probe, request, factsFor(probe, version)).variant.name).toBe(variant)
  })
})
