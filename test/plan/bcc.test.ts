import { describe, expect, it } from 'vitest'
import { type LoadedProbe, makePlan, type Plan, placeholderToken } from '../../src/plan/plan.ts'
import type { Need } from '../../src/schema/define.ts'
import { factsFor } from './handmade-facts.ts'
import { handmadeBcc, planFor } from './handmade-probe.ts'

const secrets = { token: placeholderToken, childPid: null, ownPid: null, commandPid: null }

/** A program around a whole emit. */
function render(piece: string, line = 'result = 0'): string {
  const template = `{{kprobe f struct sock *sk}}
{
  ${piece}
  {{emit thing
    task
    netns = 7
    laddr = in6 &sk->a
    lport = 1
    raddr = in4 {read sk->b}
    rport = {port sk->c}
    ${line}
  }}
  return 0;
}
`
  return planFor({}, null, handmadeBcc(template)).render(secrets)
}

describe('a template for bcc', () => {
  it('fills every member of the record, tests the gate first, and counts before it hands over', () => {
    const program = render('')

    expect(program).toContain('int er_kprobe_0(struct pt_regs *ctx, struct sock *sk)')
    expect(program).toContain('if (er_open != 0 && *er_open == 1 && er != 0) {')
    expect(program).toContain('bpf_probe_read_kernel(er->laddr, 16, &sk->a);')
    expect(program).toContain(
      'er->raddr[0] = 0; er->raddr[1] = 0; er->raddr[2] = bpf_htonl(0xffff); er->raddr[3] = ER_READ(sk->b);',
    )
    expect(program).toContain('er->rport = bpf_ntohs(ER_READ(sk->c));')
    expect(program).toContain('bpf_get_current_comm(er->comm, sizeof(er->comm));')
    expect(program.indexOf('__sync_fetch_and_add(er_count, 1)')).toBeLessThan(
      program.indexOf('er_out.ringbuf_output('),
    )
  })

  it('reads no member of a struct without the headers that place it', () => {
    const probe = handmadeBcc()
    const without = (template: string) => ({
      spec: {
        ...probe.spec,
        variants: probe.spec.variants.map((each) => ({ ...each, needs: [] })),
      },
      templates: { only: template },
    })

    expect(() => planFor({}, null, without(render1('u64 b = {{read sk->b}};')))).toThrow(
      "{{read sk->b}}: the kernel's headers are not among the needs",
    )
    expect(JSON.parse(planFor({}, null, without(render1(''))).input(secrets))).toMatchObject({
      headers: false,
      program: expect.stringMatching(/^#include <linux\/types.h>\n/),
    })
  })

  it('keeps what stands for no value as the wire has it', () => {
    expect(render('', 'result = null')).toContain('er->result = 1;')
  })

  it('counts in one place what did not fit into a map', () => {
    const input: unknown = JSON.parse(
      planFor({}, null, handmadeBcc(render1('{{kept things.update(&key, &value)}}'))).input(
        secrets,
      ),
    )

    expect(render('{{kept things.update(&key, &value)}}')).toMatch(
      /if \(things\.update\(&key, &value\) != 0\) \{ \{ int er_at = 0;/,
    )
    expect(input).toMatchObject({ full_at: 0, counts: [{ code: '0', site: 0, at: 1 }] })
  })

  it('learns, finds and forgets an owner under a key', () => {
    const program = render(
      '{{open key port}}\n {{settle key port}}\n {{learn key port}}\n {{owner who key port}}\n {{forget key}}',
    )

    expect(program).toContain('BPF_HASH(er_owners, u64, struct er_owner, ')
    expect(program).toContain('er_owner.ends = er_opened(er_key, port);')
    expect(program).toContain('er_owner.ends = er_ends(er_key, port);')
    expect(program).toContain(
      'if (er_known != 0 && er_known->ends != 0 && er_known->ends == er_opened(er_key, port))',
    )
    expect(program).toContain(
      'if (er_known == 0 || (er_known != er_ends(er_key_who, port) && er_known != er_opened(er_key_who, port)))',
    )
    expect(program).toContain('er_owners.delete(&er_key);')
  })

  it('names what it attaches, and lets tracepoints attach themselves', () => {
    const heads = `{{kretprobe g 64}} { return 0; }
{{tracepoint a:b}} { return 0; }
{{rawtracepoint c}} { return 0; }
{{exit d}} { return 0; }
`
    const plan = planFor({}, null, handmadeBcc(heads + render1('')))
    const request: unknown = JSON.parse(plan.input(secrets))

    expect(request).toMatchObject({
      attach: [
        { kind: 'kretprobe', event: 'g', function: 'er_kretprobe_0', instances: 64 },
        { kind: 'kprobe', event: 'f', function: 'er_kprobe_1' },
      ],
    })
    expect(plan.render(secrets)).toContain('int tracepoint__a__b(struct tracepoint__a__b *ctx)')
    expect(plan.render(secrets)).toContain(
      'int raw_tracepoint__c(struct bpf_raw_tracepoint_args *ctx)',
    )
    expect(plan.render(secrets)).toContain('int ER_EXIT(d)(unsigned long long *ctx)')
    expect(plan.render(secrets)).toContain('#define ER_EXIT(name) kretfunc__vmlinux__##name\n')
  })

  it('has a record of its own for each place that emits', () => {
    const program = planFor({}, null, handmadeBcc(render1('') + render1(''))).render(secrets)

    expect(program).toContain('er = er_scratch_1.lookup(')
    expect(program).toContain('er = er_scratch_2.lookup(')
    expect(program.match(/BPF_PERCPU_ARRAY\(er_scratch_/g)).toHaveLength(2)
  })

  it('does not depend on what bpftrace can attach', () => {
    const probe = handmadeBcc()
    const needs: readonly Need[] = [
      { headers: true },
      { function: 'f', by: 'fentry' },
      { tracepoint: 'a:b', raw: true },
    ]
    const variants = probe.spec.variants.map((variant) => ({ ...variant, needs }))
    const withNeeds = { ...probe, spec: { ...probe.spec, variants } }

    expect(planFor({}, null, withNeeds, '0.11.3').variant.backend).toBe('bcc')
  })

  it('adds to a group in place of a record, under a key that holds nothing of the text before', () => {
    const program = renderSummary(['comm', 'laddr', 'rport'])

    expect(program).not.toContain('er_out')
    expect(program).toContain('BPF_HASH(er_groups_0, struct er_key_0, struct er_group_0, ')
    expect(program).toMatch(
      /struct er_key_0 \{\s+__u8 comm\[24\];\s+__u32 laddr\[4\];\s+__u64 rport;/,
    )
    expect(program).toContain(
      '__builtin_memset(er_key->comm, 0, sizeof(er_key->comm)); bpf_probe_read_kernel_str(er_key->comm, 17, er->comm);',
    )
    expect(program.indexOf('__sync_fetch_and_add(er_count, 1)')).toBeLessThan(
      program.indexOf('er_groups_0.lookup_or_try_init(er_key, er_new)'),
    )
  })

  it('tells the driver how to print the map of a group', () => {
    const input: unknown = JSON.parse(summaryPlan(['comm', 'laddr', 'rport'], 500).input(secrets))

    expect(input).toMatchObject({
      records: [],
      interval_ms: 500,
      dump_code: '7',
      groups: [
        {
          code: '0',
          map: 'er_groups_0',
          keys: [
            { as: 'text', bytes: 24, text: '0' },
            { as: 'address', bytes: 16 },
            { as: 'number', bytes: 8 },
          ],
          measures: [],
        },
      ],
    })
  })

  it('refuses a key that no map can have', () => {
    const wide = { kind: 'text', bytes: 510, doc: 'too much' } as const
    const probe = handmadeBcc(render1('', 'wide = kernel x'))
    const { fields, ...thing } = probe.spec.events['thing'] ?? failed()
    const events = { thing: { ...thing, fields: { ...fields, wide } } }

    expect(() =>
      summaryPlan(['pid', 'wide'], null, { ...probe, spec: { ...probe.spec, events } }),
    ).toThrow(
      expect.objectContaining({
        code: 'BAD_VALUE',
        message: expect.stringContaining('--by'),
        found: '520 bytes: pid, wide',
      }),
    )
  })

  it('attaches uprobes where the library lies, and leads them nowhere first', () => {
    const heads = `{{uprobe libc getaddrinfo}} { return 0; }
{{uretprobe libc getaddrinfo}} { return 0; }
`
    const plan = planFor({}, null, withLibc(heads + render1('')))
    const request: unknown = JSON.parse(plan.input(secrets))
    const program = plan.render(secrets)

    expect(request).toMatchObject({
      attach: [
        { kind: 'uprobe', event: 'getaddrinfo', path: '/usr/lib/libc.so', function: 'er_uprobe_0' },
        { kind: 'uretprobe', event: 'getaddrinfo', path: '/usr/lib/libc.so' },
        { kind: 'kprobe' },
      ],
    })
    expect(program).toContain('BPF_PROG_ARRAY(er_nowhere, 1);')
    expect(program).toContain(
      'int er_uretprobe_1(struct pt_regs *ctx)\n{\n  er_nowhere.call(ctx, 0);\n  return er_body_1(ctx);\n}',
    )
  })

  it.each([
    ['a kprobe', '', false],
    ['a tracepoint', '{{tracepoint a:b}} { return 0; }', false],
    ['a raw tracepoint', '{{rawtracepoint c}} { return 0; }', false],
    ['a uprobe', '{{uprobe libc getaddrinfo}} { return 0; }', true],
    ['a uretprobe in a part', '{{when yes}}{{uretprobe libc f}} { return 0; }{{end}}', true],
  ])('fills the record of %s where no other program does', (_, head, onStack) => {
    const program = planFor({}, null, withLibc(`${head}\n${render1('')}`)).render(secrets)

    expect(program.includes('struct er_record_0 er_room;')).toBe(onStack)
    expect(program.includes('__builtin_memset(er, 0, sizeof(*er));')).toBe(onStack)
    expect(program.includes('BPF_PERCPU_ARRAY(er_scratch_1,')).toBe(!onStack)
    expect(program).toContain('__sync_fetch_and_add(er_count, 1);')
  })

  it('refuses a record that does not fit on the stack', () => {
    const large = withLibc(`{{uprobe libc f}} { return 0; }\n${render1('')}`, 800)

    expect(() => planFor({}, null, large)).toThrow('the stack no more than 384')
    expect(() => planFor({}, null, withLibc(render1(''), 800))).not.toThrow()
  })

  it.each([
    ['a library that nobody looked for', 'libm cos', 'no place known for libm'],
    ['a function that is no name', 'libc get:addr', 'is no attach point'],
  ])('is refused for %s', (_, words, message) => {
    expect(() => planFor({}, null, withLibc(`{{uprobe ${words}}}\n${render1('')}`))).toThrow(
      message,
    )
  })

  it.each([
    ['an unknown directive', '{{nonsense 1}}', undefined, 'unknown directive {{nonsense}}'],
    ['a directive named like a method', '{{constructor x}}', undefined, 'unknown directive'],
    ['one of bpftrace alone', '{{text x 3}}', undefined, 'unknown directive {{text}}'],
    ['an unknown condition', '{{when moon}}1{{end}}', undefined, 'unknown condition'],
    ['an unknown param', '{{param most}}', undefined, 'unknown param most'],
    ['a kretprobe without a number', '{{kretprobe f}}', undefined, 'needs a number of calls'],
    ['a tracepoint without a category', '{{tracepoint f}}', undefined, 'no CATEGORY:NAME'],
    ['an unknown list', '{{part thing.list tid 1 user x}}', undefined, 'no list of an event'],
    ['a field emitted twice', '', 'result = 0\n result = 1', 'emitted twice'],
    ['a field left out', '', '', 'thing.result is not emitted'],
    ['a field that is not there', '', 'result = 0\n moon = 1', 'not on the wire'],
    [
      'a text of nowhere',
      '',
      'result = 0\n comm = x',
      'a text is comm, user, kernel, bytes or owner',
    ],
    ['null where null cannot be', '', 'result = 0\n pid = null', 'cannot be null'],
  ])('is refused for %s', (_, piece, line, message) => {
    expect(() => render(piece, line)).toThrow(
      expect.objectContaining({
        code: 'BAD_DEFINITION',
        message: expect.stringContaining(message),
      }),
    )
  })
})

function summaryPlan(
  by: readonly string[],
  intervalMs: number | null = null,
  probe: LoadedProbe = handmadeBcc(render1('')),
): Plan {
  const summary = { by, histogram: null, intervalMs }
  const asked = { filters: [], params: {}, variant: null, backend: null, bufferBytes: null }
  return makePlan(probe, { ...asked, summary }, factsFor(probe, '0.17.0'))
}

function renderSummary(by: readonly string[]): string {
  return summaryPlan(by).render(secrets)
}

function failed(): never {
  throw new Error('no event type thing')
}

/** The same probe on a machine whose libc was looked for, with other bytes for its text. */
function withLibc(template: string, bytes = 15): LoadedProbe {
  const probe = handmadeBcc(template)
  const [variant] = probe.spec.variants
  const thing = probe.spec.events['thing']
  const comm = thing?.fields['comm']
  if (variant === undefined || thing === undefined || comm === undefined)
    throw new Error('no probe')
  return {
    ...probe,
    spec: {
      ...probe.spec,
      events: { thing: { ...thing, fields: { ...thing.fields, comm: { ...comm, bytes } } } },
      variants: [
        {
          ...variant,
          needs: [{ headers: true }, { uprobe: 'getaddrinfo', library: 'libc' }],
          options: { yes: true },
        },
      ],
    },
  }
}

/** The same template, unrendered. */
function render1(piece: string, line = ''): string {
  return `{{kprobe f}}
{
  ${piece}
  {{emit thing
    task
    netns = 7
    laddr = raw x
    lport = 1
    raddr = raw x
    rport = 1
    result = 0
    ${line}
  }}
  return 0;
}
`
}
