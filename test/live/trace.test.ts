import { describe, expect, test } from 'vitest'
import { cannotRun, linesOf, runCli } from '../cli/run-cli.ts'

const cannot =
  cannotRun ??
  (await runCli(['plan', 'trace', 'syscall:lseek']).then(({ code, stderr }) =>
    code === 0 ? null : stderr,
  ))
if (cannot !== null) console.warn(`system calls are not traced here: ${cannot}`)

const seeks = [-12_345_678_901_234n, -7n, -1n, 7n, 12_345n]
const seeking = `
import os
file = os.open("/proc/self/exe", os.O_RDONLY)
for offset in [${seeks.join(', ')}]:
    try: os.lseek(file, offset, 0)
    except OSError: pass
`

/** The events of a trace of a Python program. */
async function traced(words: readonly string[], program: string) {
  const run = await runCli([
    'trace',
    ...words,
    '-o',
    'ndjson',
    '--',
    'python3',
    '-S',
    '-c',
    program,
  ])
  expect(run.stderr).toMatch(/lost 0, .*faults 0.* exact/)
  return linesOf(run.stdout)
}

describe.skipIf(cannot !== null)('a trace', { timeout: 60_000 }, () => {
  test('divides and shifts what is below 0 as C does', async () => {
    const fields = ['x=offset:i64', 'd=offset/10:i64', 'm=offset%10:i64', 's=offset >> 1:i64']
    const where = 'offset / 10 < -1000000 or offset == -7 or offset % 10 == -1 or offset > 0'
    const events = await traced(['syscall:lseek', ...fields, '--where', where], seeking)

    const shown = events.map(({ x, d, m, s }) => [x, d, m, s].map(String).join(' '))
    for (const x of seeks) expect(shown).toContain(`${x} ${x / 10n} ${x % 10n} ${x >> 1n}`)
  })

  test('has an address as a result', async () => {
    const events = await traced(
      ['tracepoint:syscalls:sys_exit_mmap', 'r=ret:result'],
      'import mmap; mmap.mmap(-1, 4096)',
    )

    const codes = events.map(({ r }) =>
      typeof r === 'object' && r !== null && 'code' in r ? r.code : null,
    )
    expect(codes.length).toBeGreaterThan(0)
    expect(codes.every((code) => typeof code === 'number' && code > 2 ** 32)).toBe(true)
  })
})
