import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFieldRequest } from '../../src/attach/asked-field.ts'
import { defineTrace } from '../../src/attach/define.ts'
import { attachPointText, parseAttachPoint } from '../../src/attach/point.ts'
import type { MadeProbe, TraceRequest } from '../../src/attach/request.ts'
import { markOf } from '../../src/attach/usdt.ts'
import { EbpfRunError } from '../../src/errors.ts'
import { type MarkPlace, parseArgument } from '../../src/host/usdt.ts'
import { makePlan } from '../../src/plan/plan.ts'
import { factsFor } from '../plan/handmade-facts.ts'
import { knownHere, ownOf } from './known.ts'

const plain = { fields: [], where: null, atReturn: false, latency: false } as const
const known = { ...knownHere, signature: null, fields: null, category: null }

/** A mark at places 16 bytes apart, each with these arguments; `here` is a name of its file. */
const marked = (texts: readonly string[], counter: number | null = null): readonly MarkPlace[] =>
  texts.map((text, at) => ({
    offset: 0x1000 + 16 * at,
    counter,
    arguments: text
      .split(' ')
      .filter((each) => each !== '')
      .map((each) => parseArgument(each, 62, (name) => (name === 'here' ? 64n : null))),
  }))

function made(point: string, asked: Partial<TraceRequest> = {}, places?: readonly MarkPlace[]) {
  const request = { ...plain, ...asked, point: parseAttachPoint(point) }
  return defineTrace(request, {
    ...known,
    ...(places === undefined ? {} : { mark: markOf(places) }),
  })
}

function programOf(
  point: string,
  variant: string,
  asked: Partial<TraceRequest> = {},
  places?: readonly MarkPlace[],
): string {
  const plan = planOf(made(point, asked, places), '0.17.0', variant, places)
  return plan.render(plan.placeholders)
}

function planOf(
  probe: MadeProbe,
  version: string,
  variant: string | null,
  places: readonly MarkPlace[] = [],
) {
  const facts = factsFor(probe, version)
  const libraries = Object.fromEntries(
    Object.entries(facts.libraries ?? {}).map(([path, library]) => [
      path,
      { ...library, marks: { [nameOfMark]: places } },
    ]),
  )
  const request = { filters: [], params: {}, variant, backend: null, bufferBytes: null }
  return makePlan(probe, request, { ...facts, libraries })
}

const mark = 'usdt:/usr/bin/python3:python:gc__start'
const nameOfMark = 'python:gc__start'

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
  test('with a counter needs a bpftrace that raises it, or bcc', () => {
    const needs = (counter: number | null) =>
      made(mark, {}, marked([''], counter)).spec.variants.map((variant) => variant.needs[0])

    expect(needs(0x2000)).toEqual([{ bpftrace: '>=0.17.0 <0.22.0' }, { bcc: '>=0.18.0' }])
    expect(needs(null)).toEqual([{ bpftrace: '<0.22.0' }, { bcc: '>=0.18.0' }])
  })

  test('has the arguments that it says, as wide as it says', () => {
    const program = programOf(mark, 'usdt', {}, marked(['-4@%eax 8@%rdi']))

    expect(program).toContain(mark)
    expect(program).toContain('(int64)((int32)arg0)')
    expect(program).toContain('(uint64)(arg1)')
  })

  test('is attached at each of its places, with the arguments that it has there', () => {
    const places = marked(
      ['-4@%eax 8@%rdi', '-4@$-1 8@-8(%rbp)', '-4@%eax 8@%rdi', '-1@%ah 8@here(%rip)'],
      0x2000,
    )
    const program = programOf(mark, 'bcc', {}, places)

    expect(program).toContain('#include <uapi/linux/ptrace.h>')
    expect(program.match(/^int er_usdt_\d/gm)).toHaveLength(3)
    expect(program).toContain('u64 arg0 = (u64)(s32)(u32)(ctx->ax >> 0);')
    expect(program).toContain('u64 arg0 = (u64)(s32)0xffffffffffffffffULL;')
    expect(program).toContain('ER_USER(1, u64, 0xfffffffffffffff8ULL + ctx->bp * 1);')
    expect(program).toContain('u64 arg0 = (u64)(s8)(u8)(ctx->ax >> 8);')
    expect(program).toContain('ER_USER(1, u64, 0x40ULL + ctx->ip * 1);')
    const { attach } = JSON.parse(inputOf(made(mark, {}, places), places))
    expect(attach).toEqual([
      expect.objectContaining({
        kind: 'usdt',
        places: [
          { offset: 0x1000, counter: 0x2000 },
          { offset: 0x1020, counter: 0x2000 },
        ],
      }),
      expect.objectContaining({ places: [{ offset: 0x1010, counter: 0x2000 }] }),
      expect.objectContaining({ places: [{ offset: 0x1030, counter: 0x2000 }] }),
    ])
  })

  test('has only the arguments read that are asked for', () => {
    const places = marked(['8@(%rax) 8f@%xmm0 4@%ebx'])
    const program = programOf(mark, 'bcc', { fields: [parseFieldRequest('arg0=arg2')] }, places)

    expect(program).toContain('u64 arg2 = (u64)(u32)(u32)(ctx->bx >> 0);')
    expect(program).toContain('er->arg0 = (u64)((u32)arg2);')
    expect(program).not.toContain('ER_USER(0')
  })

  test('has null for what could not be read, and no condition holds of it', () => {
    const places = marked(['-4@(%rax) 8@%rdi 8@8(%rax)'])
    const fields = [parseFieldRequest('sum=arg0+arg2'), parseFieldRequest('arg1')]
    const probe = made(mark, { fields }, places)
    const program = programOf(mark, 'bcc', { fields, where: 'arg0 == 5' }, places)

    expect(probe.spec.events['gc__start']?.fields).toMatchObject({
      sum: { kind: 'i64', nullAs: expect.any(String) },
      arg1: { kind: 'u64' },
    })
    expect(probe.spec.events['gc__start']?.fields['arg1']?.nullAs).toBeUndefined()
    expect(program).toMatch(/er->sum = \(unread & 5 \? \d+ULL : \(u64\)\(/)
    expect(program).toContain('if (!(unread & 1) && ')
  })

  test('says why it has no value of an argument', () => {
    const asked = { fields: [parseFieldRequest('x=arg1')] }

    expect(() => made(mark, asked, marked(['8@%rax 8f@%xmm0']))).toThrow(
      /arg1 cannot be read; 8f@%xmm0: it is a floating-point number/,
    )
    expect(() => made(mark, asked, marked(['8@%rax 8@%rbx', '8@%rax']))).toThrow(
      /arg1 cannot be read; the mark has it at some of its places alone/,
    )
    expect(() => made(mark, asked, marked(['8@%rax']))).toThrow("there is no 'arg1' here")
  })

  test.each([
    ['8@%rdi -4@$5', '0.17.0', 'usdt'],
    ['8@%rdi -4@-20(%rbp)', '0.17.0', 'usdt'],
    ['8@%rdi 4@%ebx', '0.23.2', 'bcc'],
    ['8@(%rax,%rbx,8)', '0.17.0', 'bcc'],
    ['8@(,%rbx,8)', '0.17.0', 'bcc'],
    ['4@%eax 8@here(%rip)', '0.17.0', 'bcc'],
    ['1@%ah 8@%rbx', '0.17.0', 'bcc'],
    ['8f@%xmm0 8@%rbx', '0.17.0', 'bcc'],
    ['8@%rax 8@%rax 8@%rax 8@%rax 8@%rax 8@%rax', '0.17.0', 'usdt'],
    ['8@%rax 8@%rax 8@%rax 8@%rax 8@%rax 8@%rax 8@%rax', '0.17.0', 'bcc'],
  ])('with %j is traced beside bpftrace %s by %s', (text, version, variant) => {
    const places = marked([text])

    expect(planOf(made(mark, {}, places), version, null, places).variant.name).toBe(variant)
  })

  test.each([
    ['0.11.3', ['8@%rdi', '8@%rdi'], 'usdt'],
    ['0.11.3', ['8@%rdi', '8@%rsi'], 'bcc'],
    ['0.17.0', ['8@%rdi', '8@%rsi'], 'usdt'],
  ])('is traced beside bpftrace %s at places with %j by %s', (version, texts, variant) => {
    const places = marked(texts)

    expect(planOf(made(mark, {}, places), version, null, places).variant.name).toBe(variant)
  })

  test('that has lost an argument since the probe was made is not traced', () => {
    const probe = made(mark, {}, marked(['8@%rdi 8@%rsi']))
    const lost = (places: readonly MarkPlace[]) => () => planOf(probe, '0.23.2', null, places)

    expect(lost(marked(['8@%rdi']))).toThrow(
      expect.objectContaining({ found: expect.stringContaining('the mark has no arg1') }),
    )
    expect(lost(marked(['8@%rdi 8f@%xmm1']))).toThrow(
      expect.objectContaining({ found: expect.stringContaining('floating-point') }),
    )
    expect(lost([])).toThrow(
      expect.objectContaining({ found: expect.stringContaining('in no part of the file') }),
    )
  })

  test.each([
    [['-4@%eax', '-4@$5'], 4, true],
    [['4@%eax', '-4@$5'], 8, true],
    [['4@%eax', '2@%bx'], 8, false],
  ])('at places with %j has what holds them all', (texts, size, signed) => {
    expect(markOf(marked(texts)).arguments).toMatchObject([{ size, signed }])
  })
})

function inputOf(probe: MadeProbe, places: readonly MarkPlace[]): string {
  const plan = planOf(probe, '0.23.2', 'bcc', places)
  return plan.input(plan.placeholders)
}

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
