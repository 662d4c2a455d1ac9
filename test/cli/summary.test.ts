import { describe, expect, it, vi } from 'vitest'
import { cannotRun, linesOf, runCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 90_000 })

describe('options of summaries', () => {
  it.each([
    [['--by', 'rport'], '--by goes with --summary'],
    [['--interval', '1s'], '--interval goes with --summary'],
    [['--sort', 'count'], '--sort goes with --summary'],
    [['--top', '3'], '--top goes with --summary'],
    [['--linear', '0..1ms/1us'], '--linear goes with a histogram'],
    [['--summary', '--linear', '0..1ms/1us'], '--linear goes with a histogram'],
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

  it('says how many groups a table has not, unless it was asked for so many', async () => {
    const many = (...options: readonly string[]) =>
      runCli([
        ...['opensnoop', '--summary', '--by', 'filename', ...options, '--', 'bash', '-c'],
        'for at in {1..30}; do 2>&- < /not/there/$at; done; exit 0',
      ])
    const [usual, asked, csv] = [await many(), await many('--top', '20'), await many('-o', 'csv')]

    expect(usual.stderr).toMatch(/^note: \d\d more groups \(\d+ events\); --top \d\d shows them$/m)
    expect(asked.stderr).not.toContain('more group')
    expect(csv.stderr).not.toContain('more group')
    expect(csv.stdout).toContain('/not/there/30')
  })

  it('has names of addresses, though all groups come at the end', async () => {
    const { stdout } = await runCli([
      ...[
        'tcptracer',
        '--summary',
        '--by',
        'raddr',
        '--resolve',
        '--all',
        '--',
        'bash',
        '-c',
        connect,
      ],
    ])

    expect(stdout).toContain('RADDR')
    expect(stdout).not.toContain('127.0.0.1')
    expect(stdout.trim().split('\n').length).toBeGreaterThan(1)
  })

  it('draws a linear histogram, with the buckets that are empty between two', async () => {
    const { code, stdout } = await runCli([
      'trace',
      'syscall:openat',
      'flags',
      '--hist',
      'flags',
      '--linear',
      '0..655360/65536',
      '--',
      'cat',
      '/etc/hostname',
    ])
    const lines = stdout.trim().split('\n')

    expect(code).toBe(0)
    expect(lines[0]).toMatch(/\d+ events {2}p50 < 589824 {2}p90 < 589824/)
    expect(lines.slice(1).map((line) => line.replace(/ +\d+ *█*$/, '').trim())).toEqual([
      '0 ..  65536',
      ...[1, 2, 3, 4, 5, 6, 7].map((at) => `${at * 65_536} .. ${(at + 1) * 65_536}`),
      '524288 .. 589824',
    ])
  })

  it('tells quantiles, sum and average beside the buckets', async () => {
    const { stdout } = await runCli([
      ...[
        'runqlat',
        '-o',
        'ndjson',
        '--',
        'sh',
        '-c',
        'for at in 1 2 3; do cat /etc/hostname; done',
      ],
    ])

    const [row] = linesOf(stdout) as readonly Record<string, unknown>[]
    const buckets = row?.['buckets'] as readonly { readonly lt: number; readonly count: number }[]
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(row?.['count'])
    expect(row?.['duration_p99_ns']).toBe(buckets.at(-1)?.lt)
    expect(Number(row?.['duration_sum_ns'])).toBeGreaterThanOrEqual(
      Number(row?.['count']) * Number(row?.['duration_avg_ns']),
    )
  })

  it('counts more groups than can be read in a moment, all of them', async () => {
    const names = 12_000
    const opens = `const fs = require('fs')
      for (let at = 0; at < ${names}; at += 1) try { fs.openSync('/nowhere/' + at) } catch {}`
    const { code, stdout, stderr } = await runCli([
      ...['opensnoop', '--summary', '--by', 'filename', '-o', 'ndjson'],
      ...['--', process.execPath, '-e', opens],
    ])
    const [, counted, delivered] =
      /kernel counted (\d+), delivered (\d+), lost 0,/.exec(stderr) ?? []
    const own = (linesOf(stdout) as readonly { readonly filename: string }[]).filter(
      ({ filename }) => filename.startsWith('/nowhere/'),
    )

    expect(own).toHaveLength(names)
    expect(delivered).toBe(counted)
    expect(code).toBe(0)
  })

  it('refuses a range that is none', async () => {
    const { code, stderr } = await runCli(['runqlat', '--linear', '0..10/1', '--', 'true'])

    expect(code).toBe(2)
    expect(stderr).toContain('0..10ms/500us')
  })

  it('refuses a field that is none, and one that has no histogram', async () => {
    const by = await runCli(['tcpconnect', '--summary', '--by', 'nosuch', '--', 'true'])
    const hist = await runCli(['tcpconnect', '--hist', 'rport', '--', 'bash', '-c', connect])

    expect([by.code, hist.code]).toEqual([2, 2])
    expect(by.stderr).toContain('nosuch')
    expect(hist.stderr).toContain('rport')
  })
})
