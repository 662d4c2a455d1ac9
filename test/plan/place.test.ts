import { describe, expect, it } from 'vitest'
import { parsePlace, requirePlace } from '../../src/plan/place.ts'
import { handmadeBcc, planFor } from './handmade-probe.ts'

const names = {
  namespace: (_: string, name: string) => (name.includes('none') ? 'ENOENT' : 4_026_531_833),
}
const badValue = expect.objectContaining({ code: 'BAD_VALUE' })

describe('where a probe on interfaces goes', () => {
  it('reads lists of interfaces, each once', () => {
    expect(parsePlace(['eth0,lo', 'eth0'], [], names)).toEqual({
      netns: null,
      interfaces: ['eth0', 'lo'],
    })
  })

  it.each(['e"\\\u001b\u0001é', 'a b'.replace(' ', '\u00b7'), 'fifteen-bytes-x'])(
    'takes %j, as the kernel does',
    (name) => {
      expect(parsePlace([name], [], names).interfaces).toEqual([name])
    },
  )

  it.each(['', '.', '..', 'a/b', 'a:b', 'a b', 'a\0b', 'sixteen-bytes-xy', 'ééééééééé', '!eth0'])(
    'refuses %j, as the kernel does',
    (name) => {
      expect(() => parsePlace([name], [], names)).toThrow(badValue)
    },
  )

  it('finds a namespace by path or name, and only one', () => {
    expect(parsePlace(['lo'], ['/proc/7/ns/net'], names).netns).toBe('/proc/7/ns/net')
    expect(parsePlace(['lo'], ['blue'], names).netns).toBe('/run/netns/blue')
    expect(() => parsePlace(['lo'], ['none'], names)).toThrow(badValue)
    expect(() => parsePlace(['lo'], [''], names)).toThrow(badValue)
    expect(() => parsePlace(['lo'], ['blue', 'red'], names)).toThrow(badValue)
  })

  it('must be said for such a probe, and for no other', () => {
    const { spec } = handmadeBcc('')

    expect(() => requirePlace({ ...spec, onInterfaces: true }, null)).toThrow(badValue)
    expect(() =>
      requirePlace({ ...spec, onInterfaces: true }, { netns: null, interfaces: ['lo'] }),
    ).not.toThrow()
    expect(() => requirePlace(spec, null)).not.toThrow()
  })
})

describe('a program for interfaces', () => {
  const emit = `{{emit thing
    ktime_ns = bpf_ktime_get_ns()
    pid = 1
    tid = 1
    cpu = 1
    uid = 1
    cgroup = 1
    comm = bytes place->name
    netns = 7
    laddr = in4 0
    lport = 1
    raddr = in4 0
    rport = 1
    result = 0
  }}`
  const render = (head: string) =>
    planFor(
      {},
      null,
      handmadeBcc(`${head}\n{\n  {{interface place ctx->ifindex}}\n  ${emit}\n  return 0;\n}\n`),
    )
  const secrets = { token: '7000000000000000', childPid: null, ownPid: null, commandPid: null }

  it.each([
    ['{{xdp native,generic}}', 'xdp', 'native,generic', 'struct xdp_md'],
    ['{{xdp generic}}', 'xdp', 'generic', 'struct xdp_md'],
    ['{{tcx ingress}}', 'tcx', 'ingress', 'struct __sk_buff'],
    ['{{tc egress}}', 'tc', 'egress', 'struct __sk_buff'],
    ['{{socket}}', 'socket', '', 'struct __sk_buff'],
  ])('is named to the driver: %s', (head, kind, event, context) => {
    const plan = render(head)
    const request: unknown = JSON.parse(plan.input(secrets))

    expect(request).toMatchObject({
      attach: [{ kind, event, function: `er_${kind}_0` }],
      place: null,
    })
    expect(plan.render(secrets)).toContain(`int er_${kind}_0(${context} *ctx)`)
    expect(plan.render(secrets)).toContain('BPF_HASH(er_interfaces, u32, struct er_interface')
    expect(plan.render(secrets)).toContain(
      '__builtin_memcpy(er->comm, place->name, sizeof(er->comm));',
    )
  })

  it.each(['{{xdp fast}}', '{{xdp}}', '{{tc both}}', '{{tcx}}'])('is refused as %s', (head) => {
    expect(() => render(head)).toThrow(expect.objectContaining({ code: 'BAD_DEFINITION' }))
  })
})
