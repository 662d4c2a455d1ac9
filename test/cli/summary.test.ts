import { describe, expect, it, vi } from 'vitest'
import { cannotRun, linesOf, runCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 90_000 })

describe('options of summaries', () => {
  it.each([
    [['--by', 'rport'], '--by goes with --summary'],
    [['--interval', '1s'], '--interval goes with --summary'],
    [['--top', '3'], '--top goes with --summary'],
    [['--summary', '--hist', 'duration_ns'], '--summary and --hist exclude each other'],
    [['--summary', '--count', '3'], '--count is for events'],
    [['--summary', '--record', '/dev/null'], '--record is for events'],
    [['--summary', '--top', '0'], 'a whole number from 1 on'],
    [['--summary', '--interval', 'soon'], 'a time'],
  ])('%j is refused', async (options, said) => {
    const { code, stdout, stderr } = await runCli(['tcpconnect', ...options])

    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(said)
  })
})

describe.skipIf(cannotRun)(`a summary on this host${cannotRun ?? ''}`, () => {
  const connect =
    'for at in 1 2 3; do (exec 3<>/dev/tcp/127.0.0.1/9); done; (exec 3<>/dev/tcp/127.0.0.1/10)'
  const traced = (...options: readonly string[]) =>
    runCli([
      'execsnoop',
      ...options,
      '--',
      'bash',
      '-c',
      '/bin/true; /bin/true; /bin/ls / > /dev/null',
    ])

  it('has a row a group in NDJSON', async () => {
    const { code, stdout } = await traced('--summary', '--by', 'filename', '-o', 'ndjson')

    expect(code).toBe(0)
    const rows = linesOf(stdout) as readonly { filename: string; count: number }[]
    expect(rows.find(({ filename }) => filename === '/bin/true')).toMatchObject({ count: 2 })
    expect(rows.find(({ filename }) => filename === '/bin/ls')).toMatchObject({ count: 1 })
  })

  it('shows the largest groups alone with --top', async () => {
    const { stdout } = await traced('--summary', '--by', 'filename', '--top', '1', '-o', 'csv')

    expect(stdout.trim().split('\n')).toHaveLength(2)
  })

  it('refuses a field that is none, and one that has no histogram', async () => {
    const by = await runCli(['tcpconnect', '--summary', '--by', 'nosuch', '--', 'true'])
    const hist = await runCli(['tcpconnect', '--hist', 'rport', '--', 'bash', '-c', connect])

    expect([by.code, hist.code]).toEqual([2, 2])
    expect(by.stderr).toContain('nosuch')
    expect(hist.stderr).toContain('rport')
  })
})
