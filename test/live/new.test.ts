import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cannotRun, cli, linesOf, runCli } from '../cli/run-cli.ts'
import { run } from '../../src/index.ts'

/** A place that root alone can change. */
const base = mkdtempSync(join(cannotRun === null ? '/run' : tmpdir(), 'ebpf-run-new-'))
chmodSync(base, 0o755)
afterAll(() => rmSync(base, { recursive: true, force: true }))

const probes = join(base, 'probes')
const env = { EBPF_RUN_PROBES: probes }
/** Calls of getpgid() with this argument, and as many that --where leaves out. */
const calls = 1_009
const nobodys = 2 ** 22 + 7
const source = `import os
for each in range(${calls}):
    for pid in (${nobodys}, 0):
        try: os.getpgid(pid)
        except ProcessLookupError: pass
`
const script = join(base, 'calls.py')
writeFileSync(script, source)
const words = ['syscall:getpgid', 'who=pid', '--where', `pid == ${nobodys}`]
const command = ['--', 'python3', script]

const traced = await runCli(['trace', ...words, '--duration', '1ms'])
/** Why this host cannot trace, null when it can. */
const cannotTrace = traced.code === 0 ? null : traced.stderr
if (cannotTrace !== null) console.warn(`a probe of one's own is not run here: ${cannotTrace}`)

describe.skipIf(cannotTrace !== null)("a probe of one's own on this host", () => {
  beforeAll(async () => {
    const made = await runCli(['new', 'getpgids', '--from', ...words], { env })
    expect(made).toMatchObject({ code: 0, stdout: `${probes}/getpgids\n` })
  })

  test('sees exactly the calls that it was made for, and its recording replays', async () => {
    const file = join(base, 'run.rec')
    const summary = join(base, 'summary.json')
    const files = ['--record', file, '--summary-json', summary]
    const ran = await runCli(['getpgids', '-o', 'ndjson', ...files, ...command], { env })

    expect(ran.stderr).toContain(`kernel counted ${calls}, delivered ${calls}, lost 0`)
    const events = linesOf(ran.stdout)
    expect(events).toHaveLength(calls)
    expect(events.every(({ who }) => who === nobodys)).toBe(true)
    expect(JSON.parse(readFileSync(summary, 'utf8'))).toMatchObject({ account: 'exact' })
    // Without the probe's folder: the recording has its definition.
    const replayed = await runCli(['replay', file, '-o', 'ndjson'])
    expect(replayed.stdout).toBe(ran.stdout)
  })

  test('takes filters and counts in the kernel', async () => {
    const counted = ['--summary', '--by', 'who', '-o', 'ndjson']
    const ran = await runCli(['getpgids', '--comm', 'python3', ...counted, ...command], { env })
    expect(linesOf(ran.stdout)).toMatchObject([{ who: nobodys, count: calls }])

    const none = await runCli(['getpgids', '--comm', '!python3', '-o', 'ndjson', ...command], {
      env,
    })
    expect(none.stdout).toBe('')
  })

  test('has types of which tsc --strict takes what is there, and nothing else', async () => {
    const { stdout } = await runCli(['types', 'getpgids'], { env })
    writeFileSync(join(base, 'getpgids.d.ts'), stdout)
    const use = join(base, 'use.ts')
    writeFileSync(
      use,
      `import type { GetpgidsEvent } from './getpgids.js'
export const who = (event: GetpgidsEvent): number => event.who
export const wrong = (event: GetpgidsEvent): number => event.nope
`,
    )
    const program = ts.createProgram([use], {
      ...{ strict: true, noEmit: true, types: [], skipDefaultLibCheck: true },
      module: ts.ModuleKind.NodeNext,
      lib: ['lib.es2023.d.ts'],
    })

    expect(ts.getPreEmitDiagnostics(program).map(({ code }) => code)).toEqual([2339])
  })

  test('can have the call stack of each event', async () => {
    const stack = [
      'new',
      'stacks',
      '--from',
      'syscall:getpgid',
      '--stack',
      '--where',
      words.at(-1) ?? '',
    ]
    await runCli(stack, { env })
    const ran = await runCli(['stacks', '-o', 'ndjson', '--drain', '60s', ...command], { env })

    const stacks = linesOf(ran.stdout).map((event) => event['stack'])
    expect(stacks, ran.stderr).toHaveLength(calls)
    for (const each of stacks)
      expect(each).toContainEqual(expect.stringMatching(/^do_syscall_64\+/))
  })

  test('is run by the library too', async () => {
    process.env['EBPF_RUN_PROBES'] = probes
    try {
      const session = run<{ event: string; who: number }>('getpgids', { count: 3 })
      await session.attached
      spawnSync('python3', [script])
      const seen: number[] = []
      for await (const { who } of session) seen.push(who)
      expect(seen).toEqual([nobodys, nobodys, nobodys])
    } finally {
      delete process.env['EBPF_RUN_PROBES']
    }
  })

  test('comes with a test that runs, and that fails when it should', () => {
    const folder = join(probes, 'getpgids')
    const runTest = () =>
      spawnSync(process.execPath, ['--test', join(folder, 'probe.test.mjs')], {
        encoding: 'utf8',
        env: { ...process.env, EBPF_RUN: cli },
      })
    const workload = join(folder, 'workload.sh')
    const test = join(folder, 'probe.test.mjs')
    writeFileSync(workload, readFileSync(workload, 'utf8').replace('true\n', `python3 ${script}\n`))
    const expecting = (count: number) => {
      const text = readFileSync(test, 'utf8')
      writeFileSync(test, text.replace(/expected = \w+/, `expected = ${count}`))
    }

    expect(statSync(workload).mode & 0o111).toBe(0o111)
    expect(runTest()).toMatchObject({ status: 0 })
    expecting(calls)
    expect(runTest()).toMatchObject({ status: 0 })
    expecting(calls + 1)
    expect(runTest().status).toBe(1)
  })
})
