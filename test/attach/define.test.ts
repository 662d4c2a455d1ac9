import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFieldRequest } from '../../src/attach/asked-field.ts'
import { defineTrace } from '../../src/attach/define.ts'
import type { TraceRequest } from '../../src/attach/request.ts'
import { parseAttachPoint } from '../../src/attach/point.ts'
import { EbpfRunError } from '../../src/errors.ts'
import { makePlan } from '../../src/plan/plan.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { knownHere, ownOf } from './known.ts'
import { errorOf } from '../error-of.ts'

const plain: Omit<TraceRequest, 'point'> = {
  fields: [],
  where: null,
  atReturn: false,
  latency: false,
}

function programOf(
  point: string,
  request: Partial<TraceRequest> = {},
  { version = '0.23.0', variant = null as string | null } = {},
): string {
  const probe = defineTrace({ ...plain, ...request, point: parseAttachPoint(point) }, knownHere)
  const plan = makePlan(
    probe,
    { filters: [], params: {}, variant, backend: null, bufferBytes: null },
    factsFor(probe, version),
  )
  return plan.render(plan.placeholders)
}

const fieldsOf = (point: string, request: Partial<TraceRequest> = {}) => {
  const { spec } = defineTrace({ ...plain, ...request, point: parseAttachPoint(point) }, knownHere)
  return Object.values(spec.events)[0]?.fields ?? {}
}

describe('a trace without fields', () => {
  test('shows a socket by its addresses, ports and state, and other arguments as they are', () => {
    expect(ownOf(fieldsOf('kprobe:tcp_thing'))).toEqual([
      'laddr',
      'lport',
      'raddr',
      'rport',
      'state',
      'size',
      'name',
    ])
  })

  test('shows what a tracepoint has, each address once, and no field under a name of ours', () => {
    expect(ownOf(fieldsOf('tracepoint:sock:thing'))).toEqual([
      'skaddr',
      'newstate',
      'sport',
      'saddr',
      'args_comm',
      'args_pid',
      'behind',
    ])
  })

  test('leaves a text out that this bpftrace reads as empty, unless it was asked for', () => {
    expect(programOf('tracepoint:sock:thing', {}, { version: '0.24.0' })).toContain(
      'str(args->behind)',
    )
    expect(programOf('tracepoint:sock:thing', {}, { version: '0.23.0' })).not.toContain('behind')
    expect(() =>
      programOf('tracepoint:sock:thing', { where: 'behind == "x"' }, { version: '0.23.0' }),
    ).toThrow(/cannot work on this host/)
  })

  test('takes the way that misses least, and the arguments as that way names them', () => {
    expect(programOf('function:tcp_thing')).toMatch(/^[^]*fentry:tcp_thing\n|kfunc:tcp_thing\n/)
    expect(programOf('kprobe:tcp_thing')).toContain('(int32)arg1')
  })
})

describe('the wrapper of a system call', () => {
  test('has the arguments of the call, from the registers', () => {
    const made = defineTrace(
      { ...plain, point: parseAttachPoint('kprobe:__x64_sys_thing') },
      {
        ...knownHere,
        signature: null,
        fields: [
          { name: '__syscall_nr', type: 'int', offset: 8, size: 4, length: 0 },
          { name: 'filename', type: 'const char *', offset: 16, size: 8, length: 0 },
          { name: 'flags', type: 'int', offset: 24, size: 8, length: 0 },
        ],
      },
    )

    expect(ownOf(made.spec.events['__x64_sys_thing']?.fields)).toEqual(['filename', 'flags'])
    const plan = makePlan(
      made,
      { filters: [], params: {}, variant: null, backend: null, bufferBytes: null },
      factsFor(made, '0.23.0'),
    )
    expect(plan.render(plan.placeholders)).toMatch(/struct er_\w+ \*\)arg0\)->v/)
    expect(plan.render(plan.placeholders)).not.toContain('{{')
  })
})

describe('a return', () => {
  test('has the value, and what the call was given', () => {
    const program = programOf('kretprobe:tcp_thing')

    expect(program).toContain('kprobe:tcp_thing\n{\n  @a0[tid] = ')
    expect(program).toContain('kretprobe:tcp_thing')
    expect(program).toContain('(int32)retval')
    expect(program).toContain('delete(@a0[tid]);')
  })

  test('with --latency has the time since the call', () => {
    const program = programOf('kprobe:tcp_thing', { latency: true })

    expect(program).toContain('@start[tid] = nsecs;')
    expect(program).toContain('/@start[tid]/')
    expect(program).toContain('nsecs - @start[tid]')
  })

  test('is none of a tracepoint', () => {
    const error = errorOf(() => programOf('syscall:openat', { atReturn: true }))

    expect(error.code).toBe('CONFLICT')
    expect(error.remedy).toContain('sys_exit_openat')
  })
})

describe('--stack', () => {
  test('adds the call stack, and no column to the table', () => {
    const point = parseAttachPoint('kprobe:tcp_thing')
    const { spec } = defineTrace({ ...plain, point, stack: true }, knownHere)
    const [event] = Object.values(spec.events)

    expect(event?.fields['stack']).toMatchObject({ kind: 'stack' })
    expect(event?.table).not.toContain('stack')
    expect(programOf('kprobe:tcp_thing', { stack: true })).toContain('kstack')
    expect(() => programOf('kprobe:tcp_thing', { stack: true }, { version: '0.11.3' })).toThrow(
      /cannot work on this host/,
    )
  })

  test('does not take the place of a field of that name', () => {
    const fields = [parseFieldRequest('stack=size')]
    const error = errorOf(() => programOf('kprobe:tcp_thing', { stack: true, fields }))

    expect(error.code).toBe('CONFLICT')
  })
})

describe('fields', () => {
  test('follow members, through pointers too', () => {
    const program = programOf('kprobe:tcp_thing', {
      fields: ['port=sk.__sk_common.skc_num', 'inode=sk.sk_socket.flags'].map(parseFieldRequest),
    })

    expect(program).toMatch(/\$v1 = .*\(arg0\).*|\$v1 = .*arg0/)
    expect(program).toContain('$v1')
  })

  test.each([
    ['x=nope', "there is no 'nope' here"],
    ['x=sk.nope', "has no member 'nope'"],
    ['x=sk.__sk_common', 'a value by itself'],
    ['x=size.y', 'no pointer to a struct'],
    ['x=name:result', 'is not a number'],
    ['x=size:user', 'is not a pointer to a text'],
    ['x=comm + 1', 'is for numbers'],
    ['x=size / 0', 'divided by 0'],
    ['x=size / size', 'written out'],
  ])('%s: %s', (field, message) => {
    const error = errorOf(() =>
      programOf('kprobe:tcp_thing', { fields: [parseFieldRequest(field)] }),
    )

    expect(error.code).toBe('BAD_VALUE')
    expect(error.message).toContain(message)
  })

  test.each([
    ['size', 'size', 'size'],
    ['sk.__sk_common.skc_num', 'skc_num', 'sk.__sk_common.skc_num'],
  ])('%s is the field %s', (text, name, source) => {
    expect(parseFieldRequest(text)).toEqual({ name, source, kind: null })
  })

  test.each(['', 'pid', 'a.b-c', '=1', 'pid=1', 'event=1', 'X=1', 'a b=1', 'x;=1', 'a=1:nokind'])(
    '%j is no field',
    (text) => {
      expect(() => parseFieldRequest(text)).toThrow(EbpfRunError)
    },
  )
})

describe('--where', () => {
  test('becomes a condition in the kernel, texts byte by byte', () => {
    const program = programOf('kprobe:tcp_thing', {
      where: 'size > 4096 and comm == "a\\"; system(\\"id\\")"',
    })

    expect(program).toContain('\\x61\\x22\\x3b')
    expect(program).not.toContain('system')
  })

  test('compares addresses as numbers in network order', () => {
    expect(
      programOf('kprobe:tcp_thing', { where: 'sk.__sk_common.skc_daddr == 10.0.0.1' }),
    ).toContain('== 16777226')
  })
})

/** Everything that a rendered program may consist of, when the user's words are taken out of it. */
const calls = new Set([
  'printf',
  'str',
  'ntop',
  'count',
  'print',
  'delete',
  'clear',
  'kptr',
  'uptr',
  'if',
  'nsecs',
])

test('10,000 hostile expressions, fields and attach points change no program beyond what the grammar allows', () => {
  const hostile = fc.constantFrom(
    ';',
    '}',
    '{',
    '{{',
    '}}',
    '"',
    '\\',
    '\n',
    '`',
    '$(id)',
    'system("x")',
    'exit()',
    '@x',
    '$1',
    '/*',
    '*/',
    '//',
    'size',
    'sk',
    '.',
    '->',
    '==',
    '1',
    'comm',
    '"x"',
    ' and ',
    '(',
    ')',
    'printf("x")',
    ':user',
    '=',
    '#include "x"',
  )
  const quoted = fc.array(hostile, { maxLength: 6 }).map((parts) => JSON.stringify(parts.join('')))
  const sound = fc.oneof(
    fc.constantFrom(
      'size',
      'sk.__sk_common.skc_num > 5',
      'not size',
      '-size & 7',
      'sk.sk_socket.flags',
    ),
    quoted.map((text) => `comm == ${text}`),
    fc.tuple(quoted, quoted).map(([a, b]) => `name != ${a} and (comm == ${b} or size == 3)`),
  )
  const text = fc.oneof(
    sound,
    // Sound, but for one piece somewhere in it.
    fc
      .tuple(sound, hostile, fc.nat(30))
      .map(([all, piece, at]) => all.slice(0, at) + piece + all.slice(at)),
    fc.array(hostile, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('')),
  )
  let rendered = 0
  fc.assert(
    fc.property(text, text, (where, field) => {
      let program = ''
      try {
        const request = { where, fields: [parseFieldRequest(`x=${field}`)] }
        program = programOf('kprobe:tcp_thing', request)
      } catch (error) {
        expect(error).toBeInstanceOf(EbpfRunError)
        return
      }
      rendered += 1
      const code = program.replace(/"(?:[^"\\]|\\[^])*"/g, '""')
      for (const [, name = ''] of code.matchAll(/\b([a-z_]+)\(/g)) expect(calls).toContain(name)
      expect(code).not.toMatch(/[`#]|\/\*|\/\/|\{\{/)
    }),
    { numRuns: 10_000 },
  )
  // Enough of them are harmless, or nothing was looked at.
  expect(rendered).toBeGreaterThan(1_000)
})

test.each([
  'kprobe:tcp;x',
  'kprobe:a b',
  'kprobe:$(id)',
  'tracepoint:a:b/x/',
  'tracepoint:a',
  'kprobe:',
  ':x',
  'x',
  '',
  'kprobe:a\nb',
  'kprobe:a,kprobe:b',
  'tracepoint:../x:y',
  'uprobe:/bin/sh:x;y',
  'BEGIN:x',
  `kprobe:${'a'.repeat(600)}`,
  'kprobe:*',
])('%j is no attach point', (text) => {
  expect(() => parseAttachPoint(text)).toThrow(EbpfRunError)
})

test('a field that is named twice is refused', () => {
  const fields = ['x=size', 'x=name'].map((text) => parseFieldRequest(text))
  expect(errorOf(() => programOf('kprobe:tcp_thing', { fields }))).toMatchObject({
    code: 'CONFLICT',
    message: 'the field x is named twice',
  })
})

describe('what the run itself does', () => {
  const own = (program: string) =>
    [...program.matchAll(/pid != (\d+)/g)].map(([, number]) => Number(number))

  test('is no event of a system call: each would make the next', () => {
    expect(own(programOf('tracepoint:syscalls:sys_enter_thing', { fields: [] }))).toContain(1)
  })

  test('nor of a text in its memory, where its records lie', () => {
    const fields = [parseFieldRequest('what=name:user')]
    expect(own(programOf('kprobe:tcp_thing', { fields }))).toEqual([1, 2])
  })

  test('is one of a function of the kernel: it may run for an interrupt, whose task is anybody', () => {
    expect(own(programOf('kprobe:tcp_thing'))).toEqual([])
  })

  test('is left out at the call too, so that nothing of it is kept', () => {
    const fields = [parseFieldRequest('what=name:user')]
    expect(own(programOf('kprobe:tcp_thing', { fields, latency: true }))).toEqual([1, 2, 1, 2])
  })
})
