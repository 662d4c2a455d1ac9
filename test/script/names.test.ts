import { describe, expect, test } from 'vitest'
import { tokenize } from '../../src/script/lexer.ts'
import { cleaned, fieldName } from '../../src/script/names.ts'
import { eventsOf, fieldsOf, madeOf } from './made.ts'
import { errorOf } from '../error-of.ts'

const nameOf = (expression: string, ...used: string[]): string =>
  fieldName(tokenize(`{${expression}}`).slice(1, -1), new Set(used), 0)

describe('the name of a field', () => {
  test.each([
    ['pid', 'pid'],
    ['$daddr', 'daddr'],
    ['$Name', 'name'],
    ['args->filename', 'filename'],
    ['args.filename', 'filename'],
    ['args->__data_loc_name', 'data_loc_name'],
    ['str(args->filename)', 'filename'],
    ['str(args.filename, 64)', 'filename'],
    ['ntop($af, $daddr)', 'daddr'],
    ['ntop($daddr)', 'daddr'],
    ['ksym(reg("ip"))', 'reg'],
    ['kstack(5)', 'kstack'],
    ['@start[tid]', 'start'],
    ['@[tid]', 'value_1'],
    ['(nsecs - @start[tid]) / 1000', 'start'],
    ['nsecs - $t', 't'],
    ['nsecs / 1000000', 'nsecs'],
    ['$task->real_parent->pid', 'pid'],
    ['$task.real_parent.pid', 'pid'],
    ['((struct task_struct *)curtask)->real_parent->tgid', 'tgid'],
    ['(uint64)arg0', 'arg0'],
    ['(int32)retval', 'retval'],
    ['*(uint32 *)$p', 'p'],
    ['-$x', 'x'],
    ['!$x', 'x'],
    ['$ok ? $a : $b', 'ok'],
    ['5', 'value_1'],
    ['"a"', 'value_1'],
    ['1 + 2', 'value_1'],
    ['/* pid */ tid', 'tid'],
    // Names that every event has, or that mean something to JavaScript.
    ['$time', 'time_value_2'],
    ['$event', 'event_value_2'],
    ['$escaped', 'escaped_value_2'],
    ['$cut', 'cut_value_2'],
    ['$ktime_ns', 'ktime_ns_value_2'],
    ['$constructor', 'constructor_value_2'],
    ['$__proto__', 'proto'],
  ])('of %s is %s', (expression, name) => {
    expect(nameOf(expression)).toBe(name)
  })

  test('is longer, then numbered, where it is taken', () => {
    expect(nameOf('$task->pid', 'pid')).toBe('task_pid')
    expect(nameOf('$task->pid', 'pid', 'task_pid')).toBe('pid_2')
    expect(nameOf('pid', 'pid')).toBe('pid_2')
    expect(nameOf('pid', 'pid', 'pid_2')).toBe('pid_3')
    expect(nameOf('$a->time')).toBe('a_time')
  })

  test('is that of an argument by its place', () => {
    const source = 'kprobe:f { printf("%d %s %d\\n", $1, str($2), $#); }'
    const { f } = eventsOf(source, { args: ['1', 'a'] })

    expect(Object.keys(f?.fields ?? {})).toEqual([
      'time',
      'ktime_ns',
      'arg_1',
      'arg_2',
      'arguments',
    ])
  })

  test('is of one kind in all events', () => {
    const source = 'kprobe:f { printf("%d\\n", $x); } kprobe:g { printf("%s\\n", $x); }'

    expect(fieldsOf(source)).toEqual({ x: 'i32' })
    expect(fieldsOf(source, 'g')).toEqual({ x_2: 'text' })
  })

  test('may say what words of the wire say', () => {
    const source = 'kprobe:f { printf("%d %d %d %d\\n", $around, $always, $owner, $task); }'

    expect(fieldsOf(source)).toEqual({ around: 'i32', always: 'i32', owner: 'i32', task: 'i32' })
  })

  test.each([
    ['A-b c', 'a_b_c'],
    ['__a__', 'a'],
    ['9a', 'value_9a'],
    ['', 'value_'],
    ['\u00e9', 'value_'],
    ['x'.repeat(99), 'x'.repeat(60)],
  ])('%j is cleaned to %j', (word, name) => {
    expect(cleaned(word)).toBe(name)
  })
})

describe('the kind of a field', () => {
  test.each([
    ['%d', '$x', { kind: 'i32', conversion: '%d' }],
    ['%i', '$x', { kind: 'i32', conversion: '%d' }],
    ['%5d', '$x', { kind: 'i32', conversion: '%d' }],
    ['%u', '$x', { kind: 'u32', conversion: '%u' }],
    ['%x', '$x', { kind: 'u32', conversion: '%u' }],
    ['%ld', '$x', { kind: 'i64' }],
    ['%lld', '$x', { kind: 'i64' }],
    ['%lu', '$x', { kind: 'u64' }],
    ['%llu', '$x', { kind: 'u64' }],
    ['%llx', '$x', { kind: 'u64' }],
    ['%zu', '$x', { kind: 'u64' }],
    ['%s', '$x', { kind: 'text', bytes: 64, emptyIsNull: true }],
    ['%.16s', '$x', { kind: 'text', bytes: 16 }],
    ['%.0s', '$x', { kind: 'text', bytes: 1 }],
    ['%.200s', '$x', { kind: 'text', bytes: 64 }],
    ['%s', 'comm', { kind: 'text', bytes: 15 }],
    ['%s', 'kstack', { kind: 'stack' }],
    ['%s', 'ustack(3)', { kind: 'stack' }],
    ['%c', '$x', { kind: 'text', bytes: 1, conversion: '%c' }],
    ['%p', '$x', { kind: 'pointer', nullAs: '0' }],
    ['%r', 'buf($x, 4)', { kind: 'text', conversion: '%r' }],
    ['%rx', 'buf($x, 4)', { kind: 'text', conversion: '%rx' }],
    ['%rh', 'buf($x, 4)', { kind: 'text', conversion: '%rh' }],
    // These are as wide as they are, whatever prints them.
    ['%d', 'pid', { kind: 'u32' }],
    ['%d', 'nsecs', { kind: 'u64' }],
    ['%d', 'cgroup', { kind: 'u64' }],
    ['%d', 'nsecs / 1000', { kind: 'i32' }],
  ])('%s of %s', (conversion, expression, spec) => {
    const { f } = eventsOf(`kprobe:f { printf("a ${conversion}\\n", ${expression}); }`)
    const [, , shown] = Object.values(f?.fields ?? {})

    expect(shown).toMatchObject(spec)
    expect(shown?.doc).toBe(expression)
  })
})

describe('--fields', () => {
  const source = 'kprobe:f { printf("%d %s\\n", pid, comm); }'
  const named = (event: string, ...names: string[]) => ({ fields: new Map([[event, names]]) })

  test('names the values in their order, all or the first of them', () => {
    const { f } = eventsOf(source, named('f', 'who', 'what'))
    const first = eventsOf(source, named('f', 'comm_of'))['f']

    expect(f?.table).toEqual(['time', 'who', 'what'])
    expect(first?.table).toEqual(['time', 'comm_of', 'comm'])
  })

  test('leaves no name to another value', () => {
    const { f } = eventsOf('kprobe:f { printf("%d %d\\n", tid, pid); }', named('f', 'pid'))

    expect(f?.table).toEqual(['time', 'pid', 'pid_2'])
  })

  test.each([
    ['more names than values', source, named('f', 'a', 'b', 'c')],
    ['an event that there is not', source, named('g', 'a')],
    ['a text without values', 'kprobe:f { printf("a\\n"); }', named('text', 'a')],
    ['one name twice', source, named('f', 'a', 'a')],
    [
      'a name of another kind',
      'kprobe:f { printf("%d\\n", pid); } kprobe:g { printf("%s\\n", comm); }',
      named('g', 'pid'),
    ],
    [
      'the name of what is late',
      'kprobe:f { printf("%d ", pid); cat("/x"); }',
      named('f', 'output'),
    ],
  ])('%s: refused', (_what, script, request) => {
    expect(errorOf(() => madeOf(script, request)).code).toBe('BAD_VALUE')
  })
})
