import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Runs `task` while holding an exclusive lock on `path`. The lock belongs to a helper which lives as long as its
 * stdin is open, so a killed run gives it back at once and no stale lock file has to be judged.
 */
export async function withLock(path, task, onWait = () => {}) {
  mkdirSync(dirname(path), { recursive: true })
  // Its own session: the lock must outlive a Ctrl-C that the main process is still cleaning up after.
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const waiting = setTimeout(onWait, 1000)
  const ended = once(holder, 'close')
  const locked = await Promise.race([
    once(holder.stdout, 'data').then(() => true),
    ended.then(() => false),
  ])
  clearTimeout(waiting)
  if (!locked) throw new Error(`could not lock ${path}`)
  try {
    return await task()
  } finally {
    holder.stdin.end()
    await ended
  }
}
