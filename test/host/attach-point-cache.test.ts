import { describe, expect, it } from 'vitest'
import { listOf } from '../../src/host/attach-point-cache.ts'

const lines = [
  'tracepoint:sock:inet_sock_set_state',
  'rawtracepoint:inet_sock_set_state',
  'kprobe:nf_nat:nf_nat_setup_info',
  'kprobe:tcp_connect',
  'kprobe:tcp_connect.part.0',
  'fentry:tcp_connect',
]
const list = listOf(Buffer.from(`${lines.join('\n')}\n`), {}, '')

describe('a list of attach points', () => {
  it.each(['tracepoint', 'rawtracepoint', 'kprobe', 'fentry'])('has the lines of %s', (type) => {
    const own = lines.filter((line) => line.startsWith(`${type}:`))

    expect(list.textOf(type)).toBe(own.map((line) => `${line}\n`).join(''))
  })

  it('has all of them, and none of a type that nothing has', () => {
    expect(list.textOf(null)).toBe(`${lines.join('\n')}\n`)
    expect(list.textOf('syscall')).toBe('')
    expect(listOf(Buffer.from(''), {}, '').textOf('kprobe')).toBe('')
  })

  it('finds lines by a part of them, each once', () => {
    expect(list.linesWith(':tcp_connect\n')).toEqual(['kprobe:tcp_connect', 'fentry:tcp_connect'])
    expect(list.linesWith(':tcp_connect.')).toEqual(['kprobe:tcp_connect.part.0'])
    expect(list.linesWith('t')).toEqual(lines)
    expect(list.linesWith('nothing')).toEqual([])
  })
})
