import { describe, expect, it } from 'vitest'
import { placeholderToken } from '../../src/plan/plan.ts'
import { StructTable } from '../../src/plan/structs.ts'
import { handmadeProbe, planFor } from './handmade-probe.ts'

/** What the template around a piece renders to; the rest of the event is left out by `cannotTell`. */
function render(template: string): string {
  const [variant] = handmadeProbe().spec.variants
  if (variant === undefined) throw new Error('no variant')
  const left = Object.fromEntries(
    ['netns', 'laddr', 'lport', 'raddr', 'rport', 'result'].map((name) => [name, 'not needed']),
  )
  const probe = handmadeProbe({
    template: `interval:s:1\n{\n${template}\n}\n`,
    spec: { variants: [{ ...variant, cannotTell: left }] },
  })
  return planFor({}, null, probe).render({
    token: placeholderToken,
    childPid: null,
    ownPid: null,
    commandPid: null,
  })
}

const whole = '{{emit thing\n task\n}}'

describe('a template', () => {
  it('renders with what it should have', () => {
    expect(render(`$x = {{read sock.a $sk}} + {{param least}};\n${whole}`)).toMatch(
      /\$x = \(\(uint64\)\(\(struct er_\d+_unsigned_int \*\)\$sk\)->v\) \+ 3;/,
    )
  })

  it('reads one byte at an address', () => {
    expect(render(`$x = {{byte $tcp + 13}} & 4;\n${whole}`)).toContain(
      '$x = ((uint64)((struct er_0_unsigned_char *)($tcp + 13))->v) & 4;',
    )
  })

  it('reads the bits of a bit-field', () => {
    const place = { offset: 9, size: 1, signed: false, length: 0, bits: { shift: 3, width: 5 } }
    const structs = new StructTable({ 'sock.bits': place }, 'here')

    expect(structs.read('sock.bits', '$sk')).toBe(
      '(((uint64)((struct er_9_unsigned_char *)$sk)->v >> 3) & 31)',
    )
  })

  it('reads the local address of an IPv4 socket where bind() puts it, if there is one', () => {
    const place = (offset: number, size: number) => ({ offset, size, signed: false, length: 0 })
    const structs = new StructTable(
      {
        'sock.__sk_common.skc_family': place(16, 2),
        'sock.__sk_common.skc_rcv_saddr': place(4, 4),
        'sock.__sk_common.skc_v6_rcv_saddr': place(72, 16),
      },
      'here',
    )
    const four = '((uint64)((struct er_4_unsigned_int *)$sk)->v)'
    const isFour = `((uint64)((struct er_16_unsigned_short *)$sk)->v) == 2 && ${four} != 0`

    expect(structs.bound('$sk')).toEqual({
      family: `(${isFour} ? 2 : 10)`,
      bytes: `((struct er_0_unsigned_char_16 *)((uint64)$sk + (${isFour} ? 4 : 72)))->v`,
      words: [
        `(${isFour} ? (uint64)0 : (uint64)((struct er_72_unsigned_int *)$sk)->v)`,
        `(${isFour} ? (uint64)0 : (uint64)((struct er_76_unsigned_int *)$sk)->v)`,
        `(${isFour} ? (uint64)4294901760 : (uint64)((struct er_80_unsigned_int *)$sk)->v)`,
        `(${isFour} ? (uint64)${four} : (uint64)((struct er_84_unsigned_int *)$sk)->v)`,
      ],
    })
  })

  it('may give a value to a field that this variant leaves out', () => {
    expect(render('{{emit thing\n task\n lport = $port\n}}')).not.toContain('$port')
  })

  it('reads an item of a kernel array', () => {
    expect(render(`$x = {{pointer $items + $at * 8}};\n${whole}`)).toContain(
      '$x = ((struct er_0_unsigned_long *)($items + $at * 8))->v;',
    )
  })

  it.each([
    ['an unknown directive', '{{nonsense 1}}', 'unknown directive {{nonsense}}'],
    ['a directive named like a method', '{{constructor x}}', 'unknown directive {{constructor}}'],
    ['an unknown directive inside an emit', '{{emit thing\n task\n pid = {nope 1}\n}}', 'unknown'],
    ['a method inside an emit', '{{emit thing\n task\n pid = {valueof 1}\n}}', 'unknown'],
    ['an unknown param', '{{param most}}', 'unknown param most'],
    ['a param named like a method', '{{param toString}}', 'unknown param toString'],
    ['an unknown condition', '{{when moon}}1{{end}}', 'unknown condition {{when moon}}'],
    ['a condition named like a method', '{{when toString}}1{{end}}', 'unknown condition'],
    ['a name of a field that is no enum', '{{named thing.pid ONE}}', 'no enum of an event'],
    ['a when without end', '{{when moon}}1', 'without {{end}}'],
    ['an end without when', '1{{end}}', 'without its {{when}}'],
    ['an else without when', '1{{else}}', 'without its {{when}}'],
    ['a field emitted twice', '{{emit thing\n task\n pid = 1\n pid = 2\n}}', 'emitted twice'],
    ['a field left out', '{{emit thing\n pid = 1\n}}', 'is not emitted'],
    ['a field that is not there', '{{emit thing\n task\n moon = 1\n}}', 'not on the wire'],
    ['a derived field', '{{emit thing\n task\n time = 1\n}}', 'not on the wire'],
    ['a line that assigns nothing', '{{emit thing\n task\n pid\n}}', "cannot read 'pid'"],
    ['an unknown event', '{{emit moon\n task\n}}', 'no event of this probe'],
    ['an unknown list', '{{part thing.list tid 1 $x}}', 'no list of an event'],
    ['null where null cannot be', '{{emit thing\n task\n pid = null\n}}', 'cannot be null'],
    ['an index on a scalar', '{{read sock.b[1].c $sk}}', 'no place known for sock.b[1].c'],
    ['text without a length', '{{text $x}}', 'needs an address and a number of bytes'],
    ['an emit that is not there', '', 'nothing emits thing'],
    ['braces that nothing closes', '{{emit thing\n task\n}}\n{{ 1', 'a {{ is left over'],
    ['braces left over in upper case', '{{Read x}}', 'a {{ is left over'],
  ])('is refused for %s', (_, template, message) => {
    const wanted = template.includes('emit') || template === '' ? template : `${template}\n${whole}`

    expect(() => render(wanted)).toThrow(
      expect.objectContaining({
        code: 'BAD_DEFINITION',
        message: expect.stringContaining(message),
      }),
    )
  })

  it('reads the text in an array of characters of a struct', () => {
    expect(render(`$x = {{string sock.a $sk + 8}};\n${whole}`)).toMatch(
      /\$x = str\(\(\$sk \+ 8\) \+ \d+, \d+\);/,
    )
  })

  it('is refused for fentry where this bpftrace has none', () => {
    expect(() =>
      planFor({}, null, handmadeProbe({ template: '{{exit tcp_v4_connect}} { 1 }' }), '0.11.3'),
    ).toThrow('this bpftrace has no fentry')
  })

  it('is refused for a member that the kernel does not have', () => {
    const probe = handmadeProbe({ template: '{{read sock.gone $sk}}' })

    expect(() => planFor({}, null, probe)).not.toThrow('no place known')
    expect(() => planFor({}, null, { ...probe, templates: { only: '{{port x}}' } })).toThrow(
      'no place known for x',
    )
  })
})
