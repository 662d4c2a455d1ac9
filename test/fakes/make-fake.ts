import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the fake bpftrace does, one after the other; at the end it exits with 0. */
export type Step =
  /** Reads the program, as bpftrace does first. */
  | { readonly do: 'read' }
  /** Writes to stdout; `{T}` is the token. With `raw` the text's latin1 characters are bytes. */
  | { readonly do: 'out'; readonly text: string; readonly times?: number; readonly raw?: true }
  | { readonly do: 'err'; readonly text: string; readonly times?: number }
  | { readonly do: 'beat' | 'counts' }
  /** Writes records; `lose` more are counted and not written. */
  | {
      readonly do: 'events'
      readonly count: number
      readonly lose?: number
      readonly batch?: number
      /** Latin1 characters that are bytes. */
      readonly texts?: readonly string[]
      readonly everyMs?: number
    }
  | { readonly do: 'ignore'; readonly signals: readonly NodeJS.Signals[] }
  | { readonly do: 'wait'; readonly ms: number }
  /** Heartbeats and counts until a signal ends it: SIGURG closes the gate, SIGINT prints the final maps. */
  | { readonly do: 'serve' }
  | { readonly do: 'hang' }
  /** Starts a process that holds stdout and stderr for ten minutes. */
  | { readonly do: 'fork' }
  | { readonly do: 'exit'; readonly code: number }
  | { readonly do: 'kill'; readonly signal: NodeJS.Signals }

/** Attaches as 0.17.0 says it. */
export const attach: readonly Step[] = [
  { do: 'read' },
  { do: 'out', text: 'Attaching 4 probes...\n' },
  { do: 'beat' },
]

export interface Fake {
  /** A folder with nothing but `bpftrace`, for PATH. */
  readonly folder: string
  readonly path: string
}

const player = fileURLToPath(new URL('bpftrace.mjs', import.meta.url))

/** Puts a bpftrace into a new folder of the temporary directory. `version` is what it says of itself. */
export function makeFake(steps: readonly Step[], version = 'bpftrace v0.17.0'): Fake {
  const root = mkdtempSync(join(tmpdir(), 'fake-'))
  const folder = join(root, 'bin')
  const path = join(folder, 'bpftrace')
  mkdirSync(folder)
  writeFileSync(join(root, 'steps.json'), JSON.stringify(steps))
  writeFileSync(join(root, 'version'), `${version}\n`)
  const script = `#!/bin/sh
if [ "$1" = --version ]; then exec /bin/cat '${root}/version'; fi
exec '${process.execPath}' '${player}' '${root}/steps.json' "$@"
`
  writeFileSync(path, script)
  chmodSync(path, 0o755)
  return { folder, path }
}
