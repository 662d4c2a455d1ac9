import { describe, expect, it, vi } from 'vitest'
import { watchLeftovers } from '../fakes/leftovers.ts'
import { attach, type Step } from '../fakes/make-fake.ts'
import { findTool } from '../../src/host/tools.ts'
import { cannotRun, runCli } from './run-cli.ts'

vi.setConfig({ testTimeout: 90_000 })
watchLeftovers()

const cannot = cannotRun ?? (findTool('script', process.env) === null ? 'no script(1)' : null)
const steps: readonly Step[] = [
  ...attach,
  { do: 'wait', ms: 600 },
  { do: 'events', count: 3, texts: ['a\x1b]0;evil\x07\nb'] },
  { do: 'serve' },
]

/** Runs tcpconnect on a terminal of its own; its stdout and stderr come together. */
async function onTerminal(
  columns: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const words = ['tcpconnect', '--variant', 'tracepoint', '--duration', '1500ms', ...args]
  return typedOnTerminal(columns, words, env)
}

/** Runs ebpf-run with these words on a terminal of its own. */
async function typedOnTerminal(
  columns: number,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { stdout } = await runCli(words, {
    steps,
    env: { TERM: 'xterm-256color', ...env },
    shell: `printf -v line '%q ' "$@"; script -qec "stty cols ${columns}; $line" /dev/null </dev/null`,
  })
  return stdout
}

/** What stays on the screen: the status line goes before each line that follows it. */
function screen(output: string): readonly string[] {
  return output
    .split('\n')
    .map((line) => line.replace(/^[^]*\x1b\[K/, '').replaceAll(/\x1b\[[\d;]*m|\r/g, ''))
    .filter((line) => line !== '')
}

describe.skipIf(cannot)('on a terminal', () => {
  it('shows a table, a status line while it runs, and the account at the end', async () => {
    const output = await onTerminal(100, [])

    expect(output).toContain('\x1b[1mTIME')
    expect(output).toMatch(/tcpconnect · .*events/)
    const lines = screen(output)
    expect(lines[0]).toMatch(/^TIME +PID +COMM/)
    expect(lines.filter((line) => line.includes('192.0.2.7'))).toHaveLength(3)
    expect(lines.at(-1)).toContain('exact')
  })

  it.each([40, 60])('keeps every row of the table within %i columns', async (columns) => {
    const rows = screen(await onTerminal(columns, [])).filter((line) =>
      /^(?:TIME|\d\d:)/.test(line),
    )

    expect(rows).toHaveLength(4)
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(columns)
  })

  it.each([
    ['NO_COLOR', { NO_COLOR: '1' }],
    ['TERM=dumb', { TERM: 'dumb' }],
  ] as const)('has no colours with %s', async (_, env) => {
    expect(await onTerminal(100, [], env)).not.toMatch(/\x1b\[[\d;]*m/)
  })

  it('has neither a status line nor any escape with TERM=dumb', async () => {
    const output = await onTerminal(100, [], { TERM: 'dumb' })

    expect(output).not.toContain('\x1b')
    expect(output).not.toMatch(/tcpconnect ·/)
    expect(output).toContain('exact')
  })

  it('takes 80 columns where it says 0', async () => {
    expect(await onTerminal(0, [])).toMatch(/tcpconnect · \d+ s · 3 events · [\d.]+\/s · 0 lost/)
  })

  it('lets no byte of a traced process act on it', async () => {
    const output = await onTerminal(100, [])

    expect(output).not.toContain('\x07')
    expect(output).not.toContain('\x1b]')
    expect(output).toContain('a\\x1b]0;evil')
  })

  it('has the whole width for doctor, which takes 80 columns in a pipe', async () => {
    const longest = (text: string) => Math.max(...text.split(/\r?\n/).map((line) => line.length))
    const env = { PATH: '/nonexistent' }

    expect(longest(await typedOnTerminal(200, ['doctor']))).toBeGreaterThan(80)
    expect(longest((await runCli(['doctor'], { env })).stdout)).toBeLessThanOrEqual(80)
  })

  it('has no status line with -q', async () => {
    const lines = screen(await onTerminal(100, ['-q']))

    expect(lines).toHaveLength(4)
  })
})
