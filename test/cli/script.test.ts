import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runCli } from './run-cli.ts'

const base = mkdtempSync(join(tmpdir(), 'ebpf-run-script-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

function scriptOf(text: string): string {
  const path = join(base, `${Math.random().toString(36).slice(2)}.bt`)
  writeFileSync(path, text)
  return path
}

const calls = scriptOf(
  'tracepoint:syscalls:sys_exit_read { printf("%d %s %d\\n", pid, comm, args->ret); @[comm] = count(); }\n',
)

describe('script', () => {
  test.each<[readonly string[], number, string, string]>([
    [[], 2, 'USAGE', 'FILE.bt'],
    [[join(base, 'none.bt')], 2, 'BAD_SCRIPT', 'ENOENT'],
    [['/bin/true'], 2, 'BAD_SCRIPT', 'NUL'],
    [[scriptOf('hello\n')], 2, 'BAD_SCRIPT', 'no probe in it'],
    [[scriptOf('BEGIN { printf("x\n')], 2, 'BAD_SCRIPT', 'does not'],
    [[scriptOf('BEGIN { system("id"); }')], 2, 'UNSAFE_SCRIPT', '--unsafe'],
    [[scriptOf('interval:s:$1 { printf("%d\\n", pid); }'), '1 } BEGIN {'], 2, 'BAD_VALUE', '$1'],
    [[scriptOf('BEGIN { printf("%d\\n", $1); }'), 'x'], 2, 'BAD_VALUE', 'as a number'],
    [[calls, '--fields', 'read:a'], 2, 'BAD_VALUE', 'sys_exit_read'],
    [[calls, '--fields', 'sys_exit_read:a,b,c,d'], 2, 'BAD_VALUE', 'at most 3'],
    [[calls, '--fields', 'sys_exit_read:time'], 2, 'BAD_VALUE', 'none of time'],
    [[calls, '--summary'], 2, 'UNKNOWN_OPTION', '--help'],
  ])('%j is refused before anything runs', async (words, status, code, hint) => {
    const { code: ended, stdout, stderr } = await runCli(['script', ...words])
    expect(ended).toBe(status)
    expect(stdout).toBe('')
    expect(stderr).toContain(`[${code}]`)
    expect(stderr).toContain(hint)
  })

  test('has a schema, types and help from its own words, with names that are given', async () => {
    const words = ['script', calls, '--fields', 'sys_exit_read:process,name']
    const { stdout } = await runCli(['schema', ...words])
    const { $defs } = JSON.parse(stdout) as { $defs: Record<string, { required: string[] }> }
    expect(Object.keys($defs)).toEqual(['sys_exit_read', 'map'])
    expect($defs['sys_exit_read']?.required).toEqual([
      'event',
      'time',
      'ktime_ns',
      'process',
      'name',
      'ret',
    ])
    const types = await runCli(['types', ...words])
    expect(types.stdout).toContain('readonly process: number')
    const help = await runCli([...words.slice(0, 2), '--help'])
    expect(help.stdout).toContain('--comm NAME')
  })

  test('without a file has the help of what every script takes, and says where the rest is', async () => {
    const { code, stdout } = await runCli(['script', '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/--unsafe[^]*--duration/)
    expect(stdout).not.toMatch(
      /--(?:summary|hist|linear|by|interval|sort|top|variant|backend|all)\b(?!-)/,
    )
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'ebpf-run script FILE.bt --help shows them as well',
    )
  })
})

test.each([
  ['trace', 'ebpf-run trace ATTACH-POINT --help'],
  ['replay', 'ebpf-run replay FILE --help'],
  ['plan', 'ebpf-run plan PROBE --help'],
  ['funccount', 'ebpf-run funccount PATTERN --help'],
])('the help of %s alone says that the filters are in %s', async (name, command) => {
  const { stdout } = await runCli([name, '--help'])
  expect(stdout.replace(/\s+/g, ' ')).toContain(`: ${command} shows them as well.`)
})
