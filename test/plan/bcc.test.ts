import { describe, expect, it } from 'vitest'
import { placeholderToken } from '../../src/plan/plan.ts'
import { handmadeBcc, planFor } from './handmade-probe.ts'

const secrets = { token: placeholderToken, gatePid: null, commandPid: null }

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
    expect(program.indexOf('*er_count += 1')).toBeLessThan(
      program.indexOf('er_out.ringbuf_output('),
    )
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
    const program = render('{{learn key port}}\n {{owner who key port}}\n {{forget key}}')

    expect(program).toContain('BPF_HASH(er_owners, u64, struct er_owner, ')
    expect(program).toContain('if (who != 0 && who->port != port) who = 0;')
    expect(program).toContain('er_owners.delete(&er_key);')
  })

  it('names what it attaches, and lets tracepoints attach themselves', () => {
    const heads = `{{kretprobe g 64}} { return 0; }
{{uprobe /bin/sh readline}} { return 0; }
{{tracepoint a:b}} { return 0; }
{{rawtracepoint c}} { return 0; }
`
    const plan = planFor({}, null, handmadeBcc(heads + render1('')))
    const request: unknown = JSON.parse(plan.input(secrets))

    expect(request).toMatchObject({
      attach: [
        { kind: 'kretprobe', event: 'g', function: 'er_kretprobe_0', instances: 64 },
        { kind: 'uprobe', event: 'readline', path: '/bin/sh', function: 'er_uprobe_1' },
        { kind: 'kprobe', event: 'f', function: 'er_kprobe_2' },
      ],
    })
    expect(plan.render(secrets)).toContain('int tracepoint__a__b(struct tracepoint__a__b *ctx)')
    expect(plan.render(secrets)).toContain(
      'int raw_tracepoint__c(struct bpf_raw_tracepoint_args *ctx)',
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
    ['a text of nowhere', '', 'result = 0\n comm = x', 'a text is comm, user, kernel, bytes or owner'],
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

/** The same template, unrendered. */
function render1(piece: string): string {
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
  }}
  return 0;
}
`
}
