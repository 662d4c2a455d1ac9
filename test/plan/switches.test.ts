import { describe, expect, it } from 'vitest'
import { optionsOf } from '../../src/commands/options.ts'
import { makePlan, type Plan } from '../../src/plan/plan.ts'
import { defineProbe } from '../../src/schema/define.ts'
import { switchesAsked, withSwitches } from '../../src/schema/switches.ts'
import { loadProbe } from '../../src/catalog/load.ts'
import { errorOf } from '../error-of.ts'
import { factsFor } from './handmade-facts.ts'

const pid = { kind: 'u32', doc: 'process id' } as const
const spec = defineProbe({
  name: 'switched',
  summary: 'a probe with two switches',
  example: 'ebpf-run switched',
  owner: 'task',
  switches: {
    data: { doc: 'also each send', events: ['send'], fields: ['first'] },
    stack: { doc: 'also the call stack', fields: ['stack'], table: ['pid', 'stack'] },
  },
  events: {
    close: {
      doc: 'a close',
      fields: {
        pid,
        first: { kind: 'u32', nullAs: 0, doc: 'with --data' },
        stack: { kind: 'stack', emptyIsNull: true, doc: 'with --stack' },
      },
      table: ['pid'],
    },
    send: { doc: 'a send', fields: { pid }, table: ['pid'] },
  },
  variants: [
    {
      name: 'fexit',
      backend: 'bpftrace',
      template: 'fexit.bt',
      needs: [{ tracepoint: 'tcp:close', fields: ['sk'] }],
      switches: { data: [{ function: 'tcp_sendmsg', by: 'fentry' }] },
      cannotTell: {},
      misses: 'nothing',
      cost: 'none',
    },
    {
      name: 'plain',
      backend: 'bpftrace',
      template: 'plain.bt',
      needs: [{ tracepoint: 'tcp:close', fields: ['sk'] }],
      switches: { data: 'it sees no sends' },
      cannotTell: {},
      misses: 'nothing',
      cost: 'none',
    },
  ],
})

const close = `tracepoint:tcp:close
{
  {{emit close
    pid = pid
    first = @first[pid]
    stack = kstack
  }}
}
`
const probe = {
  spec,
  templates: {
    plain: close,
    fexit: `${close}{{when data}}
{{exit tcp_sendmsg}}
{
  @first[pid] = 1;
  {{emit send
    pid = pid
  }}
}
{{end}}
`,
  },
}

function plan(switches: readonly string[], variant: string | null = null, canFentry = true): Plan {
  const facts = factsFor(probe, '0.17.0')
  const fentry = canFentry ? facts.fentry : ({ is: 'no', evidence: 'no trampolines' } as const)
  return makePlan(
    probe,
    { filters: [], params: {}, switches, variant, backend: null, bufferBytes: null },
    { ...facts, fentry },
  )
}

const program = (made: Plan): string => made.render(made.placeholders)
const fieldsOf = (made: Plan) =>
  made.layouts.map(({ event, closed, texts }) => [
    event,
    ...[...closed, ...texts].map((each) => each.name),
  ])

describe('the table of a run', () => {
  it('is that of a switch which is on, where it has one', () => {
    const tableOf = (...on: string[]) => withSwitches(spec, on).events.close.table

    expect(tableOf()).toEqual(['pid'])
    expect(tableOf('data')).toEqual(['pid'])
    expect(tableOf('stack')).toEqual(['pid', 'stack'])
  })
})

describe('a switch that is off', () => {
  it('leaves its attach points, events and fields out, and asks nothing of the host', () => {
    const made = plan([], null, false)

    expect(made.variant.name).toBe('fexit')
    expect(fieldsOf(made)).toEqual([['close', 'pid']])
    expect(Object.keys(made.probe.events)).toEqual(['close'])
    expect(program(made)).not.toMatch(/tcp_sendmsg|kstack|@first/)
  })
})

describe('a switch that is on', () => {
  it('brings its event types and fields', () => {
    const made = plan(['data'])

    expect(fieldsOf(made)).toEqual([
      ['close', 'pid', 'first'],
      ['send', 'pid'],
    ])
    expect(program(made)).toContain('kretfunc:tcp_sendmsg')
    expect(made.switches).toEqual(['data'])
  })

  it('goes together with others', () => {
    const made = plan(['stack', 'data'])

    expect(fieldsOf(made)).toEqual([
      ['close', 'pid', 'first', 'stack'],
      ['send', 'pid'],
    ])
    expect(program(made)).toContain(', kstack')
  })

  it('is asked of the host, and the plan says what is missing', () => {
    expect(() => plan(['data'], null, false)).toThrow(/cannot work on this host/)
    expect(() => plan(['data'], 'plain')).toThrow(/cannot work as plain/)
    try {
      plan(['data'], null, false)
    } catch (error) {
      expect(error).toMatchObject({
        code: 'NO_VARIANT',
        found:
          'fexit: needs fentry on tcp_sendmsg: no trampolines\nplain: cannot do --data: it sees no sends',
      })
    }
  })
})

it('every switch is an option of its probe without a value', () => {
  const options = optionsOf(spec).filter(({ name }) => name in spec.switches)

  expect(options.map(({ name, boolean, live }) => [name, boolean, live])).toEqual([
    ['data', true, true],
    ['stack', true, true],
  ])
})

describe('a switch that nobody set', () => {
  it('is on where a field is named that it alone brings', () => {
    expect(switchesAsked(spec, [], ['pid', 'stack'])).toEqual(['stack'])
    expect(switchesAsked(spec, ['stack'], ['stack'])).toEqual(['stack'])
  })

  it('stays off where it brings events too, and where none of its fields is named', () => {
    expect(switchesAsked(spec, [], ['first'])).toEqual([])
    expect(switchesAsked(spec, [], ['pid', 'send'])).toEqual([])
  })
})

describe('the load averages of oomkill', () => {
  const variants = ['tracepoint', 'kprobe', 'pidalone', 'bcc']
  const planned = async (variant: string, version: string, switches: readonly string[]) => {
    const oomkill = await loadProbe('oomkill')
    const request = {
      ...{ filters: [], params: {}, switches, variant },
      ...{ backend: null, bufferBytes: null },
    }
    const facts = factsFor(oomkill, version)
    return (differences: object = {}) => makePlan(oomkill, request, { ...facts, ...differences })
  }

  it.each(variants)(
    'are read of the kernel by %s, and only where they are asked for',
    async (variant) => {
      const symbol = variant === 'bcc' ? 'ER_SYMBOL_avenrun' : 'kaddr("avenrun")'

      expect(program((await planned(variant, '0.17.0', ['load']))())).toContain(symbol)
      expect(program((await planned(variant, '0.17.0', []))())).not.toContain('avenrun')
    },
  )

  it('are given to the driver by their name', async () => {
    const made = (await planned('bcc', '0.17.0', ['load']))()

    expect(JSON.parse(made.input(made.placeholders))).toMatchObject({ symbols: ['avenrun'] })
  })

  it('need a kernel that tells its variables, and of bpftrace the room for them', async () => {
    const none = { symbols: { avenrun: { is: 'no', evidence: 'none here' } } }
    const roomless = await planned('kprobe', '0.14.0', ['load'])

    for (const variant of variants) {
      const made = await planned(variant, '0.17.0', ['load'])
      expect(errorOf(() => made(none)).found).toContain(
        "needs the kernel's symbol avenrun: none here",
      )
    }
    expect(errorOf(roomless).found).toContain('bpftrace >=0.16.0')
    expect((await planned('pidalone', '0.11.3', ['load']))().variant.name).toBe('pidalone')
  })
})
