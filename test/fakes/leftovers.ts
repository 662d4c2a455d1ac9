import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, expect } from 'vitest'

/** Where one test may write: its folder is gone after the test. */
export interface Place {
  readonly folder: string
  file(name: string): string
}

/**
 * Gives each test of a file a folder and a TMPDIR of its own, and checks after it that no process that it started lives, no mount
 * is new, and nothing is left in TMPDIR but what the test put there by `makeFake`.
 */
export function watchLeftovers(): Place {
  const before = { marker: process.env['EBPF_RUN_TEST_MARKER'], tmp: process.env['TMPDIR'] }
  const root = mkdtempSync(join(tmpdir(), 'er-test-'))
  const state = { folder: root, mounts: '', marker: '' }

  beforeEach(() => {
    state.marker = randomUUID()
    process.env['EBPF_RUN_TEST_MARKER'] = state.marker
    state.folder = mkdtempSync(join(root, 'test-'))
    const temporary = mkdtempSync(join(root, 'tmp-'))
    process.env['TMPDIR'] = temporary
    state.mounts = readMounts()
  })
  afterEach(async () => {
    // What was killed the hard way may need a moment to go.
    let left = processesWith(state.marker)
    for (let tries = 0; tries < 50 && left.length > 0; tries += 1) {
      await sleep(100)
      left = processesWith(state.marker)
    }
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    expect(left).toEqual([])
    expect(readMounts()).toBe(state.mounts)
    const temporary = process.env['TMPDIR'] ?? ''
    expect(readdirSync(temporary).filter((name) => !name.startsWith('fake-'))).toEqual([])
  })
  afterAll(() => {
    restore('EBPF_RUN_TEST_MARKER', before.marker)
    restore('TMPDIR', before.tmp)
    rmSync(root, { recursive: true, force: true })
  })
  return {
    get folder() {
      return state.folder
    },
    file: (name) => join(state.folder, name),
  }
}

interface Living {
  readonly pid: number
  readonly command: string
}

/** The living processes whose environment carries the marker; one that is a zombie has none. */
export function processesWith(marker: string): readonly Living[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      if (!read(`/proc/${pid}/environ`).includes(`EBPF_RUN_TEST_MARKER=${marker}`)) return []
      const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
      return [{ pid: Number(pid), command }]
    })
}

function readMounts(): string {
  return readFileSync('/proc/self/mounts', 'latin1')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
