import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { main } from '../../src/commands/main.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { runCli } from './run-cli.ts'

const place = watchLeftovers()

/** A command line without a process of its own: what cli.ts hands to it. */
async function runMain(argv: readonly string[]) {
  const said = { stdout: '', stderr: '' }
  const code = await main(argv, {
    env: process.env,
    columns: 80,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    stdout: (text) => void (said.stdout += text),
    stderr: (text) => void (said.stderr += text),
  })
  return { code, ...said }
}

/** Runs a line of words. */
const run = (line: string) => runMain(line.split(' '))

describe('a command line that cannot be', () => {
  it.each([
    ['nonsense', 'UNKNOWN_PROBE', 'ebpf-run list'],
    ['tcpconnct', 'UNKNOWN_PROBE', 'did you mean tcpconnect?'],
    ['plan tcpconnct', 'UNKNOWN_PROBE', 'did you mean tcpconnect?'],
    ['docter', 'UNKNOWN_PROBE', 'did you mean ebpf-run doctor?'],
    ['constructor', 'UNKNOWN_PROBE', 'ebpf-run list'],
    ['__proto__', 'UNKNOWN_PROBE', 'ebpf-run list'],
    ['describe funccount', 'USAGE', 'ebpf-run funccount --help'],
    ['schema script', 'USAGE', 'ebpf-run script --help'],
    ['tcpconnect --rprot 443', 'UNKNOWN_OPTION', 'did you mean --rport?'],
    ['tcpconnect --constructor x', 'UNKNOWN_OPTION', '--help'],
    ['tcpconnect --__proto__ x', 'UNKNOWN_OPTION', '--help'],
    ['tcpconnect --__proto__.x=1', 'UNKNOWN_OPTION', '--help'],
    ['tcpconnect --no-rport', 'UNKNOWN_OPTION', '--help'],
    ['tcpconnect --family 5', 'BAD_VALUE', 'for example --family 4'],
    ['doctor -o xml', 'BAD_VALUE', 'for example --output table'],
    ['tcpconnect -o jsn', 'BAD_VALUE', 'did you mean --output json?'],
    ['tcpconnect -P 443', 'UNKNOWN_OPTION', 'use --rport 443'],
    ['tcpaccept -P 80', 'UNKNOWN_OPTION', 'use --lport 80'],
    ['plan tcprtt -p 80', 'UNKNOWN_OPTION', 'use --lport 80'],
    ['tcpretrans -l', 'UNKNOWN_OPTION', '--kind loss-probe'],
    ['gethostlatency -l x', 'UNKNOWN_OPTION', 'use --libc'],
    ['funccount -c 1 tcp_sendmsg', 'UNKNOWN_OPTION', 'use --cpu 0'],
    ['opensnoop -f O_CREAT', 'UNKNOWN_OPTION', 'use --flags O_CREAT'],
    ['opensnoop --mntnsmap /x', 'UNKNOWN_OPTION', 'use --mntns /proc/PID/ns/mnt'],
    ['funccount -p 181 tcp_sendmsg', 'UNKNOWN_OPTION', 'use --pid 1234'],
    ['funccount --rport 443 tcp_connect', 'UNKNOWN_OPTION', 'its filters: --pid, --tid,'],
    ['plan execsnoop --lport 3', 'UNKNOWN_OPTION', 'execsnoop has no filter --lport; other probes'],
    ['plan execsnoop --lport 3', 'UNKNOWN_OPTION', 'its filters: --pid, --tid, --ppid, --comm,'],
    ['xdpcount --failed', 'UNKNOWN_OPTION', 'its filters: --cpu, --saddr, --daddr,'],
    ['execsnoop --raddrs ::1', 'UNKNOWN_OPTION', 'there is no option --raddrs'],
    ['funccount -qo jsn tcp_connect', 'BAD_VALUE', 'ndjson'],
    ['opensnoop -e', 'UNKNOWN_OPTION', 'the flags field'],
    ['biolatency -e', 'UNKNOWN_OPTION', '--summary'],
    ['biolatency -F', 'UNKNOWN_OPTION', '--by rwbs'],
    ['syscount -e', 'UNKNOWN_OPTION', 'use --errno ENOENT'],
    ['exitsnoop -L', 'UNKNOWN_OPTION', 'use --threads 1'],
    ['syscount -L', 'UNKNOWN_OPTION', 'use --summary, which has how long it took'],
    ['biolatency -Q', 'UNKNOWN_OPTION', 'use --queued 1'],
    ['opensnoop --flags O_RDONLY', 'BAD_VALUE', "--flags 'O_WRONLY|O_RDWR'"],
    ['tcpconnect -qz', 'UNKNOWN_OPTION', '--help'],
    ['list tcpconnect', 'UNKNOWN_OPTION', 'ebpf-run list'],
    ['tcpconnect 443', 'USAGE', 'ebpf-run tcpconnect --help'],
    ['tcpconnect --rport', 'USAGE', '--rport PORT'],
    ['tcpconnect -o', 'USAGE', '--output FORMAT'],
    ['--duration 3 tcpconnect', 'USAGE', 'ebpf-run --help'],
    ['describe', 'USAGE', 'ebpf-run describe tcpconnect'],
    ['funccount', 'USAGE', 'ebpf-run funccount'],
    ['funccount kretprobe:tcp_connect', 'BAD_VALUE', 'ebpf-run funccount kprobe:tcp_connect'],
    ['funccount uretprobe:libc:malloc', 'BAD_VALUE', 'ebpf-run funccount uprobe:libc:malloc'],
    [
      'funccount rawtracepoint:sched_switch',
      'BAD_VALUE',
      'ebpf-run trace rawtracepoint:sched_switch',
    ],
    ['dns --libc /no/such', 'BAD_VALUE', 'ldd PROGRAM'],
    ['funccount --pid 1', 'USAGE', "ebpf-run funccount 'tcp_*'"],
    ['funccount --pid 1 -- true --help', 'USAGE', "ebpf-run funccount 'tcp_*'"],
    ['funccount --pid --help', 'USAGE', '--pid PID'],
    ['replay', 'USAGE', 'ebpf-run replay FILE'],
    ['replay /no/such', 'BAD_RECORDING', '--record FILE'],
    ['tcpconnect --rport 70000', 'BAD_VALUE', '443 or 8000-8100'],
    ['tcpconnect --raddr 10.0.0.0/33', 'BAD_VALUE', '10.0.0.0/8'],
    ['tcpconnect --comm aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'BAD_VALUE', '/proc/PID/comm'],
    ['tcpconnect --pid abc', 'BAD_VALUE', '--pid 1234'],
    ['tcpconnect --duration 0', 'BAD_VALUE', '--duration 500ms'],
    ['tcpconnect --count 0', 'BAD_VALUE', '--count 10'],
    ['tcpconnect -o xml', 'BAD_VALUE', 'table, ndjson, json, csv'],
    ['tcpconnect --fields nope', 'BAD_VALUE', 'ebpf-run describe tcpconnect'],
    ['tcpconnect --cgroup 99999999999999999999', 'BAD_VALUE', '/sys/fs/cgroup'],
    ['tcpconnect --failed --ok', 'CONFLICT', 'one of them'],
    ['tcpconnect --lifecycle', 'CONFLICT', '-o ndjson'],
    ['tcpconnect --duration 3 --duration 4', 'CONFLICT', 'give --duration once'],
    ['tcpconnect --out /tmp/x --record /tmp/x', 'CONFLICT', 'another file'],
  ])('exits 2 and says what to type: ebpf-run %s', async (line, code, remedy) => {
    const { code: status, stdout, stderr } = await run(line)

    expect(stderr).toContain(`[${code}]`)
    expect(stderr).toContain(remedy)
    expect(stderr).toMatch(/^ebpf-run: \S/)
    expect(stderr).not.toContain('node:')
    expect(stdout).toBe('')
    expect(status).toBe(2)
  })

  it('says it as JSON on stderr where JSON was asked for', async () => {
    const { code, stdout, stderr } = await run('tcpconnect -o json --rport 70000')

    expect(stdout).toBe('')
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'BAD_VALUE', found: '"70000"', exit_code: 2 },
    })
    expect(code).toBe(2)
  })

  it('prints what was typed without its control characters', async () => {
    const { stderr } = await runMain(['tcp\x1b[31m\nconnect'])

    expect(stderr).not.toContain('\x1b')
    expect(stderr.split('\n')[0]).toContain('[UNKNOWN_PROBE]')
  })

  it('leaves files alone that it would have written to', async () => {
    const file = place.file('kept')
    writeFileSync(file, 'precious')

    const { code } = await runMain(['tcpconnect', '--summary-json', file, '--fields', 'nope'])

    expect(code).toBe(2)
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })
})

describe('help', () => {
  it.each(['', '--help', '-h', 'help', 'list'])(
    'lists the probes with an example each: ebpf-run %s',
    async (line) => {
      const { code, stdout, stderr } = await runCli(line === '' ? [] : line.split(' '))

      expect(stdout).toContain('ebpf-run tcpconnect --rport')
      expect(stderr).toBe('')
      expect(code).toBe(0)
    },
  )

  it.each(['tcpconnect --help', 'tcpconnect -h', 'help tcpconnect', 'tcpconnect --rport x -h'])(
    'of a probe shows its options and fields: ebpf-run %s',
    async (line) => {
      const { code, stdout, stderr } = await run(line)

      expect(stdout).toContain('--rport PORT')
      expect(stdout).toContain('raddr')
      expect(stderr).toBe('')
      expect(code).toBe(0)
    },
  )

  it.each(['list', 'plan', 'print', 'describe', 'schema', 'replay', 'doctor'])(
    'of a command says how it is typed: ebpf-run %s --help',
    async (name) => {
      const { code, stdout } = await run(`${name} --help`)

      expect(stdout).toContain(`ebpf-run ${name}`)
      expect(code).toBe(0)
    },
  )

  it.each(['funccount --pid 1 --help', 'funccount --pid=1 -h', 'funccount -o json --all -h'])(
    'of funccount needs no pattern, wherever it stands: ebpf-run %s',
    async (line) => {
      const { code, stdout, stderr } = await run(line)

      expect(stdout).toContain('ebpf-run funccount PATTERN')
      expect(stdout).toContain('--pid PID')
      expect(stderr).toBe('')
      expect(code).toBe(0)
    },
  )

  it('of a command with a probe shows the options of that probe', async () => {
    const { code, stdout } = await run('plan tcpconnect -h')

    expect(stdout).toContain('--rport PORT')
    expect(code).toBe(0)
  })

  it('ends well when its reader leaves early', async () => {
    const { stdout, stderr } = await runCli(['tcpconnect', '--help'], {
      shell: '"$@" | head -1; echo "${PIPESTATUS[0]}"',
    })

    expect(stdout).toMatch(/^ebpf-run tcpconnect.*\n0\n$/)
    expect(stderr).toBe('')
  })
})

describe('texts of filters', () => {
  it.each([
    ['quotes', '"a"'],
    ['single quotes', "'a'"],
    ['braces', '}};{{'],
    ['backticks and dollars', '`id`$(id)'],
    ['a newline', 'a\nb'],
    ['a number', '0x10'],
    ['a login shell', '-bash'],
    ['an equals sign', 'a=b'],
    ['UTF-8', 'näme'],
  ])('arrive byte for byte: %s', async (_, name) => {
    const { code, stdout, stderr } = await runMain(['print', 'tcpconnect', `--comm=${name}`])
    if (code === 77 || code === 69) return expect(stderr).toContain('try:')

    const bytes = [...Buffer.from(name)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
    expect(stdout).toContain(`== "${bytes.join('')}"`)
    expect(code).toBe(0)
  })

  it('may be attached to their short option', async () => {
    const { stderr } = await runMain(['tcpconnect', '-ojson', '-d0s'])

    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'BAD_VALUE', found: '"0s"' } })
  })
})
