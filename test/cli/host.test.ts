import { readFileSync } from 'node:fs'
import { connect as connectTo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { processesWith, watchLeftovers } from '../fakes/leftovers.ts'
import { attach } from '../fakes/make-fake.ts'
import { cannotRun, linesOf, pathWith, runCli, startCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 90_000 })
watchLeftovers()

/** Why this host's own bpftrace cannot run tcpconnect, null when it can. */
const planned = await runCli(['plan', 'tcpconnect'])
const cannotTrace = planned.code === 0 ? null : planned.stderr
if (cannotTrace !== null) console.warn(`the host's bpftrace is not tested: ${cannotTrace}`)

/** Nobody connects to this port but these tests. */
const quiet = ['--rport', '59999']

describe.skipIf(cannotTrace !== null)("with the host's own bpftrace", () => {
  it('plans with what its kernel does: JIT and transport', async () => {
    const enabled = readFileSync('/proc/sys/net/core/bpf_jit_enable', 'utf8').trim() !== '0'
    const { stdout } = await runCli(['plan', 'tcpconnect', '-o', 'json'])
    const plan: unknown = JSON.parse(stdout)
    expect(plan).toMatchObject({
      jit: { is: enabled ? 'yes' : 'no' },
      transport: { kind: expect.stringMatching(/^(perf|ring) buffer$/) },
    })
    expect(planned.stdout).toMatch(/^transport: (perf|ring) buffer, \d+ MiB/m)
    expect(planned.stdout).toContain(enabled ? 'jit: programs run as' : 'jit: programs are')
  })

  it('sees exactly the connections that were made', async () => {
    const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const running = startCli([
      'tcpconnect',
      '--rport',
      String(port),
      '--count',
      '7',
      '-o',
      'ndjson',
    ])
    await running.until(/attached/)
    for (let made = 0; made < 7; made += 1) {
      await new Promise((resolve) => connectTo(port, '127.0.0.1').on('close', resolve).resume())
    }
    const { code, stdout, stderr } = await running.outcome
    server.close()

    const events = linesOf(stdout)
    expect(events).toHaveLength(7)
    for (const event of events) {
      expect(event).toMatchObject({ pid: process.pid, raddr: '127.0.0.1', rport: port, family: 4 })
    }
    expect(stderr).toContain('kernel counted 7, delivered 7, lost 0')
    expect(code).toBe(0)
  })

  it.each([
    ['with setpriv', []],
    ['without setpriv', ['bpftrace', 'unshare', 'mount', 'grep', 'sh', 'rm', 'cat']],
  ])('leaves nothing behind when ebpf-run is killed with SIGKILL, %s', async (_, programs) => {
    const env = programs.length === 0 ? {} : { PATH: pathWith(...programs) }
    const running = startCli(['tcpconnect', ...quiet], { env })
    await running.until(/attached/)
    expect(bpftraces()).toHaveLength(1)
    running.process.kill('SIGKILL')
    await running.outcome

    while (bpftraces().length > 0) await sleep(50)
  })

  it.each([
    ['with setpriv', []],
    ['without setpriv', ['bpftrace', 'unshare', 'mount', 'grep', 'sh', 'rm', 'cat']],
  ])(
    'leaves nothing behind when it is killed so before it is attached, %s',
    async (_, programs) => {
      const env = programs.length === 0 ? {} : { PATH: pathWith(...programs) }
      const running = startCli(['tcpconnect', ...quiet], { env })
      while (bpftraces().length === 0) await sleep(5)
      running.process.kill('SIGKILL')
      const { signal, stderr } = await running.outcome

      expect(signal).toBe('SIGKILL')
      expect(stderr).not.toContain('attached after')
      while (bpftraces().length > 0) await sleep(50)
    },
  )

  it('fails when its bpftrace is killed, with what arrived and an open account', async () => {
    const running = startCli(['tcpconnect', ...quiet])
    await running.until(/attached/)
    for (const pid of bpftraces()) process.kill(pid, 'SIGKILL')
    const { code, stderr } = await running.outcome

    expect(stderr).toContain('[BACKEND_DIED]')
    expect(stderr).toContain('open: the final counts could not be read')
    expect(code).toBe(1)
  })

  it('takes hostile command names as filters', async () => {
    const { code, stderr } = await runCli([
      'tcpconnect',
      ...quiet,
      '--comm=");exit();//\n',
      '--duration',
      '300ms',
    ])

    expect(stderr).toContain('exact')
    expect(code).toBe(0)
  })
})

/** bpftrace processes of this test that trace. */
function bpftraces(): readonly number[] {
  return processesWith(process.env['EBPF_RUN_TEST_MARKER'] ?? '').flatMap(({ pid, command }) =>
    /^\S*bpftrace (?!--version)/.test(command) ? [pid] : [],
  )
}

const root = new URL('../../', import.meta.url).pathname

describe.skipIf(cannotRun)('without root', () => {
  it('exits 77 before anything is started, with what to type', async () => {
    const { code, stdout, stderr } = await runCli(['tcpconnect'], {
      steps: attach,
      // The checkout may lie where only root can go (/root): it is shown to the other user under a name that all can reach.
      shell: `chmod -R a+rX "$TMPDIR"; root='${root}' node=$1 cli=$2; shift 2
        exec unshare --mount --propagation private /bin/sh -c '
          mount --bind "$1" /mnt || exit 1
          node=$2 cli="/mnt/\${3#"$1"}"; shift 3
          exec setpriv --reuid 65534 --regid 65534 --clear-groups "$node" "$cli" "$@"
        ' sh "$root" "$node" "$cli" "$@"`,
    })

    expect(stderr).toContain('[NO_PERMISSION]')
    expect(stderr).toContain('try: sudo ebpf-run')
    expect(stdout).toBe('')
    expect(code).toBe(77)
  })
})
