import { describe, expect, test } from 'vitest'
import { runCli } from './run-cli.ts'

describe('pipe', () => {
  test.each([
    [['--pattern', '%'], 'BAD_VALUE', '%d'],
    [['--pattern', 'no value'], 'BAD_VALUE', '--match'],
    [['--pattern', '%d', '--pattern', '%u'], 'CONFLICT', 'give --pattern once'],
    [['--pattern'], 'USAGE', 'FORMAT'],
    [['--match', '('], 'BAD_VALUE', 'regular expression'],
    [['--task', 'a name that is too long'], 'BAD_VALUE', '15 bytes'],
    [['--summary'], 'UNKNOWN_OPTION', '--help'],
    [['--rport', '443'], 'UNKNOWN_OPTION', 'its filters: --pid'],
    [['--', 'true'], 'CONFLICT', 'leave out'],
  ])('%j is refused before anything runs', async (words, code, hint) => {
    const { code: status, stdout, stderr } = await runCli(['pipe', ...words])
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(`[${code}]`)
    expect(stderr).toContain(hint)
  })

  test('has a schema with the fields of its pattern, and their filters', async () => {
    const words = ['--pattern', '%{rport}u %{who}s']
    const { stdout } = await runCli(['schema', 'pipe', ...words])
    const schema = JSON.stringify(JSON.parse(stdout))
    for (const name of ['"rport":', '"who":', '"unmatched"']) expect(schema).toContain(name)
    const help = await runCli(['pipe', ...words, '--help'])
    expect(help.stdout).toContain('--rport PORT')
  })
})
