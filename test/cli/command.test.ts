import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { attach, makeFake, type Step } from '../fakes/make-fake.ts'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { cannotRun, linesOf, runCli, startCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 90_000 })
const place = watchLeftovers()

const connect = ['tcpconnect', '--variant', 'tracepoint', '-o', 'ndjson']
const serve: readonly Step[] = [...attach, { do: 'serve' }]
const never: readonly Step[] = [{ do: 'read' }, { do: 'err', text: 'compiling\n' }, { do: 'hang' }]

describe.skipIf(cannotRun)(`-- COMMAND${cannotRun ?? ''}`, () => {
  it('starts it after attach, keeps stdout for the events, and ends with its exit status', async () => {
    const file = place.file('order')
    const script = 'echo "words: $*"; exit 7'
    const { code, stdout, stderr } = await runCli(
      [...connect, '--summary-json', file, '--', 'sh', '-c', script, 'sh', 'a \'b" $c', '--rport'],
      { steps: serve },
    )

    expect(code).toBe(7)
    expect(stdout).toBe('')
    expect(stderr.indexOf('attached after')).toBeLessThan(stderr.indexOf('words:'))
    expect(stderr).toContain(`words: a 'b" $c --rport\n`)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ end: 'command' })
  })

  it('gives it stdout when the events go to a file', async () => {
    const out = place.file('events')
    const { code, stdout } = await runCli([...connect, '--out', out, '--', 'echo', 'mine'], {
      steps: serve,
    })

    expect(code).toBe(0)
    expect(stdout).toBe('mine\n')
  })

  it('becomes the command at once, without a try in each folder of PATH', async () => {
    const words = 'tr "\\0" " " < /proc/$$/cmdline'
    const { stderr } = await runCli([...connect, '--', 'sh', '-c', words], { steps: serve })

    expect(stderr).toMatch(/^\/\S*\/sh -c tr/m)
  })

  it.each([
    ['is not found', ['/nonexistent'], 127],
    ['is killed', ['sh', '-c', 'kill -KILL $$'], 137],
  ])('says as a shell does that it %s', async (_, command, status) => {
    const { code } = await runCli([...connect, '--', ...command], { steps: serve })

    expect(code).toBe(status)
  })

  it.each([
    ['is not there', ['/no/such/program'], 127, "there is no command '/no/such/program'"],
    ['is not on PATH', ['no-such-program'], 127, '-- sh -c'],
    ['is a builtin of the shell alone', ['umask'], 127, 'on PATH'],
    ['is a folder', ['/etc'], 126, "'/etc' cannot be executed"],
    ['may not be executed', ['/etc/passwd'], 126, 'ls -l /etc/passwd'],
  ])('refuses one that %s before anything is started', async (_, command, status, said) => {
    const { code, stdout, stderr } = await runCli([...connect, '--', ...command], { steps: serve })

    expect(stderr).toContain('[COMMAND_FAILED]')
    expect(stderr).toContain(said)
    expect(stderr).toContain('try: ')
    expect(stderr).not.toContain('attached after')
    expect(stdout).toBe('')
    expect(code).toBe(status)
  })

  it('finds it below a relative path and in a relative folder of PATH', async () => {
    const folder = relative(process.cwd(), place.folder)
    writeFileSync(place.file('mine'), '#!/bin/sh\nexit 9\n', { mode: 0o755 })
    const { folder: fake } = makeFake(serve)
    const env = { PATH: `${folder}:${fake}:${process.env['PATH']}` }

    expect((await runCli([...connect, '--', 'mine'], { env })).code).toBe(9)
    expect((await runCli([...connect, '--', `${folder}/mine`], { env })).code).toBe(9)
  })

  it('never starts it when the run cannot be attached', async () => {
    const mark = place.file('ran')
    const { code } = await runCli([...connect, '--attach-timeout', '300ms', '--', 'touch', mark], {
      steps: never,
    })

    expect(code).toBe(1)
    expect(() => readFileSync(mark)).toThrow('ENOENT')
  })

  it('ends it with the run', async () => {
    const { code } = await runCli([...connect, '--duration', '300ms', '--', 'sleep', '431'], {
      steps: serve,
    })

    expect(code).toBe(0)
  })

  // What is left is found after each test.
  it('leaves no command behind when it is killed', async () => {
    const running = startCli([...connect, '--', 'sh', '-c', 'echo begun; exec sleep 432'], {
      steps: serve,
    })
    await running.until(/begun/)
    running.process.kill('SIGKILL')

    expect((await running.outcome).signal).toBe('SIGKILL')
  })

  it('runs it as another user, in that home', async () => {
    const { code, stderr } = await runCli(
      [...connect, '--as', 'nobody', '--', 'sh', '-c', 'id -un; echo "$HOME $USER"'],
      { steps: serve },
    )

    expect(code).toBe(0)
    expect(stderr).toMatch(/^nobody$/m)
    expect(stderr).toMatch(/^\S+ nobody$/m)
  })

  it('runs it as who called sudo', async () => {
    const { stderr } = await runCli([...connect, '--', 'id', '-u'], {
      steps: serve,
      env: { SUDO_UID: '65534' },
    })

    expect(stderr).toMatch(/^65534$/m)
  })

  it('names a user that is not there', async () => {
    const { code, stderr } = await runCli([...connect, '--as', 'no-such-user', '--', 'true'], {
      steps: serve,
    })

    expect(code).toBe(2)
    expect(stderr).toContain('--as')
  })
})

describe.skipIf(cannotRun)(`what is traced of a command${cannotRun ?? ''}`, () => {
  let server: Server
  let port = 0
  beforeAll(async () => {
    server = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
  })
  afterAll(() => server.close())

  const connects = (count: number) =>
    `for _ in ${'x '.repeat(count)}; do (exec 3<>/dev/tcp/127.0.0.1/${port}); done`

  it('its descendants, and nobody else', async () => {
    const strangers = startStranger()
    const { stdout } = await runCli([
      ...connect,
      '--rport',
      String(port),
      '--',
      'bash',
      '-c',
      `sleep 0.3; ${connects(3)}; bash -c '${connects(2)}'; sleep 0.3`,
    ])
    await strangers.stop()

    expect(linesOf(stdout)).toHaveLength(5)
    expect(strangers.connected()).toBeGreaterThan(0)
  })

  it('the whole machine with --all', async () => {
    const strangers = startStranger()
    const { stdout } = await runCli([
      ...connect,
      '--rport',
      String(port),
      '--all',
      '--',
      'sleep',
      '0.5',
    ])
    await strangers.stop()

    expect(linesOf(stdout).length).toBeGreaterThan(0)
  })

  /** Connects in this process while the command runs. */
  function startStranger(): { stop(): Promise<void>; connected(): number } {
    let count = 0
    let isOver = false
    const work = (async () => {
      const { connect: open } = await import('node:net')
      while (!isOver) {
        const socket = open(port, '127.0.0.1')
        await new Promise<void>((resolve) =>
          socket.once('close', () => resolve()).once('error', () => {}),
        )
        count += 1
        await sleep(20)
      }
    })()
    return {
      async stop() {
        isOver = true
        await work
      },
      connected: () => count,
    }
  }
})
