import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFieldRequest } from '../../src/attach/asked-field.ts'
import { defineTrace } from '../../src/attach/define.ts'
import { attachPointText, parseAttachPoint } from '../../src/attach/point.ts'
import type { TraceRequest } from '../../src/attach/request.ts'
import { markOf, parseUsdtArguments } from '../../src/attach/usdt.ts'
import { EbpfRunError } from '../../src/errors.ts'
import { makePlan } from '../../src/plan/plan.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { knownHere, ownOf } from './known.ts'

const plain = { fields: [], where: null, atReturn: false, latency: false } as const
const known = { ...knownHere, signature: null, fields: null, category: null }

const noteOf = (text: string, semaphore = 0n) => ({
  ...{ provider: 'python', name: 'gc__start', address: 0x1000n, semaphore },
  arguments: text,
})

function made(point: string, asked: Partial<TraceRequest> = {}, marked?: string) {
  const request = { ...plain, ...asked, point: parseAttachPoint(point) }
  return defineTrace(request, {
    ...known,
    ...(marked === undefined ? {} : { mark: markOf(noteOf(marked)) }),
  })
}

function programOf(
  point: string,
  variant: string,
  asked: Partial<TraceRequest> = {},
  marked?: string,
): string {
  const probe = made(point, asked, marked)
  const request = { filters: [], params: {}, variant, backend: null, bufferBytes: null }
  const plan = makePlan(probe, request, factsFor(probe, '0.17.0'))
  return plan.render(plan.placeholders)
}

const host = [parseFieldRequest('host=arg0:user')]

describe('a function of user space', () => {
  test('has arguments by number, in hexadecimal where nobody asked for others', () => {
    const event = made('uprobe:/lib/libc.so.6:getaddrinfo').spec.events['getaddrinfo']

    expect(ownOf(event?.fields)).toEqual(['arg0', 'arg1', 'arg2'])
    expect(event?.fields['arg0']).toMatchObject({ kind: 'pointer' })
  })

  test('is traced by bpftrace where that is safe, and by bcc', () => {
    const { spec } = made('uprobe:/lib/libc.so.6:getaddrinfo')

    expect(spec.variants.map(({ name, needs }) => [name, needs[0]])).toEqual([
      ['uprobe', { bpftrace: '<0.22.0' }],
      ['bcc', { bcc: '>=0.18.0' }],
    ])
  })

  test('gives texts of the process, in bpftrace and in C', () => {
    const words = ['uprobe:/lib/libc.so.6:getaddrinfo', { fields: host }] as const

    expect(programOf(words[0], 'uprobe', words[1])).toContain('str(uptr(arg0), 130)')
    expect(programOf(words[0], 'bcc', words[1])).toMatch(
      /u64 arg0 = PT_REGS_PARM1\(ctx\);[^]*bpf_probe_read_user_str\(er->host, [^;]*arg0/,
    )
  })

  test('has what was given at the call also at its return', () => {
    const fields = [...host, parseFieldRequest('ret=retval:i32')]
    const program = programOf('uprobe:/lib/libc.so.6:getaddrinfo', 'bcc', {
      fields,
      latency: true,
      where: 'comm == "curl" and retval != 0',
    })

    expect(program).toContain('struct call call = { bpf_ktime_get_ns(), PT_REGS_PARM1(ctx) };')
    expect(program).toContain('if (call == 0) return 0;')
    expect(program).toContain(
      'task_name[0] == 0x63 && task_name[1] == 0x75 && task_name[2] == 0x72 && task_name[3] == 0x6c && task_name[4] == 0x00',
    )
    expect(program).toContain('er->duration_ns = bpf_ktime_get_ns() - start;')
    expect(program).toContain('er->ret = (s64)(s32)(retval);')
    expect(program).not.toMatch(/\(u?int\d+\)/)
  })

  test('of two in one program has structs and maps of its own', () => {
    const part = { event: 'other', maps: '_2' }
    const program = programOf('uprobe:/lib/libc.so.6:other', 'bcc', { part, latency: true })

    expect(program).toContain('BPF_HASH(calls_2, u32, struct call_2, ')
  })

  test.each([
    ['uprobe:/x:f', { stack: true }, '--stack'],
    ['usdt:/x:p:m', { latency: true }, '--latency'],
    ['usdt:/x:p:m', { atReturn: true }, '--return'],
  ])('%s refuses what means nothing there: %j', (point, asked, option) => {
    expect(() => made(point, asked)).toThrow(option)
  })

  test('compares the name of the task with a text that is written out alone', () => {
    const compare = () => programOf('uprobe:/x:f', 'bcc', { where: 'comm == comm' })

    expect(compare).toThrow(EbpfRunError)
    expect(compare).toThrow('written out')
  })
})

describe('a mark', () => {
  test('with a counter needs a bpftrace that raises it', () => {
    const point = parseAttachPoint('usdt:/usr/bin/python3:python:gc__start')
    const request = { ...plain, point }
    const needs = (semaphore: bigint) =>
      defineTrace(request, { ...known, mark: markOf(noteOf('', semaphore)) }).spec.variants[0]
        ?.needs[0]

    expect(needs(0x2000n)).toEqual({ bpftrace: '>=0.17.0 <0.22.0' })
    expect(needs(0n)).toEqual({ bpftrace: '<0.22.0' })
  })

  test('has the arguments that it says, as wide as it says', () => {
    const program = programOf(
      'usdt:/usr/bin/python3:python:gc__start',
      'usdt',
      {},
      '-4@%eax 8@%rdi',
    )

    expect(program).toContain('usdt:/usr/bin/python3:python:gc__start')
    expect(program).toContain('(int64)((int32)arg0)')
    expect(program).toContain('(uint64)(arg1)')
  })

  test.each([
    ['', []],
    [
      '8@%rdi -4@$5',
      [
        [8, false],
        [4, true],
      ],
    ],
    [
      '4@-20(%rbp) 8@8(%rsp,%rax,8) -1@counter(%rip)',
      [
        [4, false],
        [8, false],
        [1, true],
      ],
    ],
    [
      '8@%rdi 4f@%xmm0',
      [
        [8, false],
        [4, false],
      ],
    ],
  ])('%j has %j', (text, expected) => {
    expect(parseUsdtArguments(text).map(({ size, signed }) => [size, signed])).toEqual(expected)
  })
})

test('no file and no function of user space changes a program beyond its attach point', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'uprobe:',
      'usdt:',
      'uretprobe:',
      '/lib/x.so',
      ':',
      '..',
      'f',
      'libc',
      '*',
      '"',
      '{',
      '}',
      '\n',
      ' ',
      ';',
      ',',
      '$',
      '@',
    ),
    fc.string({ maxLength: 4 }),
  )
  const texts = fc.array(piece, { maxLength: 4 }).map((parts) => parts.join(''))
  const near = fc.tuple(texts, texts).map(([a, b]) => `uprobe:/lib/x${a}:f${b}`)
  let parsed = 0
  fc.assert(
    fc.property(fc.oneof(texts, near), (text) => {
      try {
        expect(attachPointText(parseAttachPoint(text))).toMatch(
          /^[a-z]+:[\w.+/-]+(?::\w[\w.]*){0,2}$/,
        )
        parsed += 1
      } catch (error) {
        if (!(error instanceof EbpfRunError)) throw error
      }
    }),
    { numRuns: 10_000 },
  )
  expect(parsed).toBeGreaterThan(100)
})
