import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

import { formatPath, parseFormat } from '../../src/host/tracepoint-format.ts'

const formats = new URL('../../fixtures/host/formats/', import.meta.url)
const fieldsOf = (path: string) => parseFormat(readFileSync(new URL(path, formats), 'latin1'))
const namesOf = (path: string) => fieldsOf(path).map((field) => field.name)

describe('parseFormat', () => {
  it('reads name, type, array length, offset and size of each field', () => {
    const fields = fieldsOf('6.18/sock/inet_sock_set_state')

    expect(fields.find((field) => field.name === 'saddr_v6')).toEqual({
      name: 'saddr_v6',
      type: '__u8',
      length: 16,
      offset: 40,
      size: 16,
    })
    expect(fields[0]).toEqual({
      name: 'skaddr',
      type: 'const void *',
      length: 0,
      offset: 8,
      size: 8,
    })
  })

  it('keeps the brackets of a __data_loc in its type', () => {
    expect(fieldsOf('6.18/sched/sched_process_exec')[0]).toEqual({
      name: 'filename',
      type: '__data_loc char[]',
      length: 0,
      offset: 8,
      size: 4,
    })
  })

  it('reads a pointer to constant pointers', () => {
    const argv = fieldsOf('6.18/syscalls/sys_enter_execve').find((field) => field.name === 'argv')

    expect(argv).toMatchObject({ type: 'const char *const *', length: 0, offset: 24 })
  })

  it('leaves the common fields out', () => {
    const names = namesOf('6.18/tcp/tcp_retransmit_skb')

    expect(names.some((name) => name.startsWith('common_'))).toBe(false)
    expect(names).toContain('family')
  })

  it('shows what an old kernel does not have', () => {
    expect(namesOf('4.18/tcp/tcp_retransmit_skb')).toEqual([
      'skbaddr',
      'skaddr',
      'sport',
      'dport',
      'saddr',
      'daddr',
      'saddr_v6',
      'daddr_v6',
    ])
  })

  it('reads kernels that do not print the sign, and arrays sized by a name', () => {
    const text = '\tfield:char comm[TASK_COMM_LEN];\toffset:8;\tsize:16;\n'

    expect(parseFormat(text)).toEqual([
      { name: 'comm', type: 'char', length: 0, offset: 8, size: 16 },
    ])
  })
})

describe('the names of values in a print format', () => {
  const text = `\tfield:int state;\toffset:8;\tsize:4;\tsigned:1;
\tfield:enum why reason;\toffset:12;\tsize:4;\tsigned:0;

print fmt: "state=%s reason: %s", REC->state ? __print_symbolic(REC->state, { TCP_CLOSE, "CLOSE" }) : "UNKNOWN", __print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, { 0x10000, "OTHER" })
`

  it('belong to their field, by number', () => {
    expect(parseFormat(text).map(({ name, names }) => [name, names])).toEqual([
      ['state', undefined],
      ['reason', { 2: 'NOT_SPECIFIED', 65_536: 'OTHER' }],
    ])
  })
})

describe('formatPath', () => {
  it('makes a path of a category and a name', () => {
    expect(formatPath('tcp:tcp_probe')).toBe('events/tcp/tcp_probe/format')
  })

  it.each(['../etc:passwd', 'tcp', 'tcp:a b', 'tcp:$(id)', 'a:b:c', 'tcp:..', ''])(
    'makes no path of %j',
    (name) => {
      expect(formatPath(name)).toBeNull()
    },
  )
})
