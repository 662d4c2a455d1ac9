import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, copyFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test, vi } from 'vitest'

// Lint starts a program of its own each time.
vi.setConfig({ testTimeout: 60_000 })

const root = fileURLToPath(new URL('../../', import.meta.url))
// The checker is plain JavaScript without types.
const { importProblems } = (await import(
  new URL('../../scripts/check-imports.mjs', import.meta.url).href
)) as { importProblems(path: string, text: string): readonly string[] }

/** Imports that go against the direction, each beside a neighbour that does not. */
const cases: readonly (readonly [string, string, string])[] = [
  ['src/errors.ts', `import { x } from './schema/kinds.ts'`, `const x = 1`],
  ['src/schema/a.ts', `import { x } from '../wire/layout.ts'`, `import { x } from '../errors.ts'`],
  ['src/schema/a.ts', `import { readFileSync } from 'node:fs'`, `import { x } from './kinds.ts'`],
  [
    'src/wire/a.ts',
    `import { x } from '../plan/plan.ts'`,
    `import { x } from '../schema/kinds.ts'`,
  ],
  ['src/wire/a.ts', `import { connect } from 'node:net'`, `import { isIPv6 } from 'node:net'`],
  [
    'src/wire/a.ts',
    `import * as net from 'node:net/promises'`,
    `import { isUtf8 } from 'node:buffer'`,
  ],
  ['src/wire/a.ts', `const fs = await import('node:fs')`, `const a = await import('./layout.ts')`],
  [
    'src/plan/a.ts',
    `import { gatherFacts } from '../host/gather.ts'`,
    `import type { Fact } from '../host/facts.ts'`,
  ],
  [
    'src/plan/a.ts',
    `import { f } from '../wire/decoder.ts'`,
    `import { f } from '../wire/layout.ts'`,
  ],
  [
    'src/plan/a.ts',
    `import { spawn } from 'node:child_process'`,
    `import { isIP } from 'node:net'`,
  ],
  [
    'src/host/a.ts',
    `import { x } from '../schema/kinds.ts'`,
    `import { readFileSync } from 'node:fs'`,
  ],
  [
    'src/sinks/a.ts',
    `import { createDecoder } from '../wire/decoder.ts'`,
    `import { type Account } from '../wire/account.ts'`,
  ],
  [
    'src/backends/a.ts',
    `import { makePlan } from '../plan/plan.ts'`,
    `import type { Plan } from '../plan/plan.ts'`,
  ],
  [
    'src/backends/a.ts',
    `export * from '../session/session.ts'`,
    `export { x } from '../wire/layout.ts'`,
  ],
  [
    'src/session/a.ts',
    `import { x } from '../commands/run.ts'`,
    `import { x } from '../backends/bpftrace.ts'`,
  ],
  [
    'src/commands/a.ts',
    `import { x } from '../cli.ts'`,
    `import { x } from '../session/session.ts'`,
  ],
  [
    'probes/a/probe.ts',
    `import { x } from '../../src/plan/plan.ts'`,
    `import { x } from '../../src/schema/common.ts'`,
  ],
  [
    'src/plan/a.ts',
    `const from = './x.ts'; void import(from + '')`,
    `type A = typeof import('../host/facts.ts')`,
  ],
]

describe('the direction of imports', () => {
  test.each(cases)('in %s refuses %s', (path, refused) => {
    expect(importProblems(path, refused)).toHaveLength(1)
  })

  test.each(cases)('in %s, beside %s, takes its neighbour', (path, _, taken) => {
    expect(importProblems(path, taken)).toEqual([])
  })

  test('has a rule for every folder: a new one is a problem until it has one', () => {
    expect(importProblems('src/new-folder/a.ts', '')).toHaveLength(1)
  })
})

describe('lint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-lint-'))
  for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
    copyFileSync(join(root, file), join(folder, file))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const lint = (path: string, text: string): string => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
    const { stdout } = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['-f', 'unix', path], {
      cwd: folder,
      encoding: 'utf8',
    })
    return stdout
  }

  test.each([
    ['a clock in wire', 'src/wire/a.ts', 'export const a = Date.now()', 'no-restricted-properties'],
    [
      'the process in plan',
      'src/plan/a.ts',
      'export const a = process.pid',
      'no-restricted-globals',
    ],
    ['a timer in schema', 'src/schema/a.ts', 'setTimeout(() => {}, 1)', 'no-restricted-globals'],
    ['the console in src', 'src/sinks/a.ts', `console.log('a')`, 'no-console'],
    [
      'a floating promise',
      'src/session/a.ts',
      'async function f() {}\nexport function g() { f() }',
      'no-floating-promises',
    ],
    ['any', 'src/session/b.ts', 'export const a = (b: any) => b', 'no-explicit-any'],
  ])('refuses %s', (_, path, text, rule) => {
    expect(lint(path, text)).toContain(rule)
  })

  test('takes a clock in session', () => {
    expect(lint('src/session/c.ts', 'export const a = Date.now()')).not.toContain(
      'src/session/c.ts',
    )
  })
})
