import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the fake bcc does, one after the other; `records` are the bytes of the kernel's structs in hexadecimal. */
export type BccStep =
  /** Emits and hands over; `lose` more are counted and told as lost. */
  | { readonly do: 'events'; readonly records: readonly string[]; readonly lose?: number }
  /** Emits at once, and hands over when the gate is closed. */
  | { readonly do: 'late'; readonly records: readonly string[] }
  /** Emits without end until the gate is closed, and does not return from polling. */
  | { readonly do: 'flood'; readonly records: readonly string[] }
  /** At the next dump the map of groups is this, key and value in hexadecimal, and so many were counted. */
  | {
      readonly do: 'groups'
      readonly entries: readonly (readonly [string, string])[]
      readonly counted: number
    }
  /** Fails to compile, load or attach, as bcc words it. */
  | { readonly do: 'raise'; readonly text: string; readonly stderr?: string }
  | { readonly do: 'die' }

export interface FakeBcc {
  /** A Python whose bcc is the fake. */
  readonly python: string
  /** What the fake was asked for: its program, what it attached, its end. */
  said(): readonly unknown[]
}

/** The Python that the tests have; null when there is none. */
export const realPython = '/usr/bin/python3'

/** Puts a Python into a new folder of the temporary directory. */
export function makeFakeBcc(steps: readonly BccStep[]): FakeBcc {
  const root = mkdtempSync(join(tmpdir(), 'fake-bcc-'))
  const python = join(root, 'python3')
  mkdirSync(join(root, 'modules'))
  cpSync(fileURLToPath(new URL('bcc/bcc.py', import.meta.url)), join(root, 'modules/bcc.py'))
  writeFileSync(join(root, 'modules/steps.json'), JSON.stringify(steps))
  const start = `import runpy, sys; sys.dont_write_bytecode = True; sys.path.insert(0, ${JSON.stringify(join(root, 'modules'))}); runpy.run_path(sys.argv[1])`
  // -I is what ebpf-run starts every Python with; the module's folder comes in by the program text alone.
  writeFileSync(
    python,
    `#!/bin/sh\n[ "$1" = -I ] || exit 9\nshift\nexec ${realPython} -I -c '${start}' "$@"\n`,
  )
  chmodSync(python, 0o755)
  return {
    python,
    said: () =>
      readFileSync(join(root, 'modules/said'), 'utf8')
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
  }
}
