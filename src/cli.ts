#!/usr/bin/env node
import { readFileSync } from 'node:fs'

/** The quick answers load nothing: no probe, no yargs, no execa (measured: 2.4 times the start of node itself). */
async function run(argv: readonly string[]): Promise<number> {
  const [first, second] = argv
  if (first === '--version' || first === '-V') {
    const { version } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    )
    process.stdout.write(`${version}\n`)
    return 0
  }
  if (first === 'list' && second === undefined) {
    process.stdout.write(await (await import('./commands/list.ts')).listText(process.env))
    return 0
  }
  const isHelp = first === '--help' || first === '-h' || (first === 'help' && second === undefined)
  if (first === undefined || isHelp) {
    process.stdout.write(await (await import('./commands/list.ts')).helpText(process.env))
    return 0
  }
  const { main } = await import('./commands/main.ts')
  return main(argv, {
    env: process.env,
    // A fresh pty says 0.
    columns: process.stdout.columns || process.stderr.columns || 80,
    stdoutIsTerminal: process.stdout.isTTY === true,
    stderrIsTerminal: process.stderr.isTTY === true,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
  })
}

// Node warns on stderr when both are set, and would rather have colours: NO_COLOR wins here.
if (process.env['NO_COLOR']) delete process.env['FORCE_COLOR']
// A reader that leaves is no error of ours.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
process.exitCode = await run(process.argv.slice(2))
