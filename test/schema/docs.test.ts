import { describe, expect, test } from 'vitest'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { describeText, fieldsMarkdown, needText } from '../../src/schema/docs.ts'
import { execs, sockets } from '../sinks/helpers.ts'

const why = 'the call returns before it is known'
const partial: ProbeSpec = {
  ...sockets,
  variants: sockets.variants.map((variant) => ({
    ...variant,
    cannotTell: { comm: why, why },
    options: { netns: { btf: 'sock.__sk_common.skc_net' } },
  })),
}

describe('the markdown reference', () => {
  test('has a table for each event type and one for variants', () => {
    expect(fieldsMarkdown(partial)).toMatchInlineSnapshot(`
      "### Event \`open\`

      A socket opened.

      | Field | Type | Unit | Null | Meaning |
      | --- | --- | --- | --- | --- |
      | \`pid\` | integer |  | no | process id (thread group) |
      | \`comm\` | text, up to 15 bytes |  | in kprobe | the thread's command name |

      ### Event \`close\`

      A socket closed.

      | Field | Type | Unit | Null | Meaning |
      | --- | --- | --- | --- | --- |
      | \`pid\` | integer |  | no | process id (thread group) |
      | \`why\` | one of local, peer (RST) |  | in kprobe | who closed it |

      ### Variants, the preferred first

      | Variant | Needs | Cannot tell | Misses | Cost |
      | --- | --- | --- | --- | --- |
      | \`kprobe\` | kprobe on tcp_v4_connect; bpftrace >=0.16.0 | comm, why: the call returns before it is known | calls made while another tracing program runs on that CPU | a kprobe a call |
      "
    `)
  })

  test('keeps a bar inside its cell', () => {
    const [variant] = execs.variants
    if (variant === undefined) throw new Error('the probe has a variant')
    const probe = { ...execs, variants: [{ ...variant, cost: 'a | b' }] }

    expect(fieldsMarkdown(probe)).toContain(String.raw`| a \| b |`)
  })
})

describe('the description', () => {
  test('tells fields, filters and variants in 60 columns', () => {
    const filters = [{ flag: '--pid PID', doc: 'only these processes, as a list of numbers' }]

    expect(describeText(partial, 60, filters)).toMatchInlineSnapshot(`
      "sockets: sockets that open and close

      Example
        ebpf-run sockets

      Event open: a socket opened
        pid   process id (thread group) [integer]
        comm  the thread's command name [text, up to 15 bytes,
              null in kprobe]

      Event close: a socket closed
        pid  process id (thread group) [integer]
        why  who closed it [one of local, peer (RST), null in
             kprobe]

      Filters
        --pid PID  only these processes, as a list of numbers

      Variants, the preferred first

        kprobe
          needs        kprobe on tcp_v4_connect; bpftrace >=0.16.0
          better with  BTF of sock.__sk_common.skc_net
          cannot tell  comm, why: the call returns before it is
                       known
          misses       calls made while another tracing program
                       runs on that CPU
          costs        a kprobe a call
      "
    `)
  })

  test('puts texts below their terms on a narrow terminal', () => {
    const text = describeText(sockets, 30, [])

    expect(text).toContain('  pid\n    process id (thread group)\n    [integer]\n')
  })

  test.each([80, 60, 40])('stays within %i columns', (width) => {
    const lines = describeText(partial, width, []).split('\n')

    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width)
  })
})

test.each([
  [{ tracepoint: 'sock:x' }, 'tracepoint sock:x'],
  [{ tracepoint: 'sock:x', fields: ['a', 'b'] }, 'tracepoint sock:x with a, b'],
  [{ function: 'tcp_close', by: 'fentry' }, 'fentry on tcp_close'],
  [{ btf: 'sock.sk_err' }, 'BTF of sock.sk_err'],
  [{ bpftrace: '>=0.16.0' }, 'bpftrace >=0.16.0'],
] as const)('the need %j reads %s', (need, text) => {
  expect(needText(need)).toBe(text)
})
