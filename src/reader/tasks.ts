import { readFileSync } from 'node:fs'
import type { Task } from '../printk/record.ts'
import { readSavedNames } from '../printk/saved-names.ts'

/** Threads whose last answer is kept for those that have ended since. */
const kept = 4_096

const unknown: Task = { pid: null, name: '', from: 0 }

/** What is known of threads. Asked anew for each batch of messages, since names change. */
export interface Tasks {
  of(tid: number): Task
  nextBatch(): void
}

/** `hasProc`: /proc counts threads as the kernel does. `savedFile`: the kernel's list of recent names. */
export function createTasks(hasProc: boolean, savedFile: string): Tasks {
  const batch = new Map<number, Task>()
  const seen = new Map<number, Task>()
  let saved: ReadonlyMap<number, string> | null = null
  const look = (tid: number): Task => {
    if (tid === 0) return { pid: 0, name: '<idle>', from: 3 }
    const live = hasProc ? readLive(tid) : null
    if (live !== null) {
      if (seen.size >= kept) seen.clear()
      seen.set(tid, live)
      return live
    }
    const before = seen.get(tid)
    if (before !== undefined) return before
    saved ??= readSavedNames(readOrEmpty(savedFile))
    const name = saved.get(tid)
    return name === undefined ? unknown : { pid: null, name, from: 2 }
  }
  return {
    of(tid) {
      const known = batch.get(tid) ?? look(tid)
      batch.set(tid, known)
      return known
    },
    nextBatch() {
      batch.clear()
      saved = null
    },
  }
}

/** Name and process of a thread that lives; its folder is there although /proc does not list it. */
function readLive(tid: number): Task | null {
  const name = readOrEmpty(`/proc/${tid}/comm`)
  const pid = /^Tgid:\t(\d{1,7})$/m.exec(readOrEmpty(`/proc/${tid}/status`))?.[1]
  return name === '' || pid === undefined
    ? null
    : { pid: Number(pid), name: name.replace(/\n$/, ''), from: 1 }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
