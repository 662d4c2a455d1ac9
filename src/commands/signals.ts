import { readdirSync, readFileSync } from 'node:fs'
import type { EndReason, Session } from '../session/types.ts'
import type { Output } from './output.ts'

const signalEnds: readonly (readonly [NodeJS.Signals, EndReason, number])[] = [
  ['SIGINT', 'interrupt', 2],
  ['SIGTERM', 'terminate', 15],
  ['SIGHUP', 'hangup', 1],
]

/**
 * One request to end may come twice: from the terminal or `timeout` to the whole group, and from whoever started us. Nobody presses
 * a key again so soon.
 */
const sameRequestMs = 200

/**
 * First signal: the normal end. Second: at once, with 128 + its number. Before attach every signal ends it so, and after the
 * end, when only the reader of the output keeps us.
 */
export function relaySignals(
  session: Session,
  out: Output,
  /** What else keeps us, and is given up with a second signal. */
  giveUp: () => void,
): { release(): void; forced(): number | null } {
  let stoppedAt: number | null = null
  let forced: number | null = null
  let isAttached = false
  let isOver = false
  void session.attached.then(
    () => (isAttached = true),
    () => {},
  )
  void session.ended.catch(() => {}).then(() => (isOver = true))
  const handlers = signalEnds.map(([signal, reason, number]) => {
    const handler = (): void => {
      const now = performance.now()
      if (stoppedAt === null && isAttached && !isOver) {
        stoppedAt = now
        session.stop(reason)
        return
      }
      if (stoppedAt !== null && now - stoppedAt < sameRequestMs) return
      forced = 128 + number
      session.force()
      out.abandon()
      giveUp()
    }
    process.on(signal, handler)
    return () => process.removeListener(signal, handler)
  })
  return { release: () => handlers.forEach((remove) => remove()), forced: () => forced }
}

/**
 * Before there is a session a signal ends us at once, with 128 + its number, and the short programs that look at the host with
 * us. Returns what takes that back.
 */
export function exitOnSignals(): () => void {
  const handlers = signalEnds.map(([signal, , number]) => {
    const handler = (): void => {
      killDescendants()
      process.exit(128 + number)
    }
    process.on(signal, handler)
    return () => process.removeListener(signal, handler)
  })
  return () => handlers.forEach((remove) => remove())
}

/** Processes that we started, and those that they did. */
function killDescendants(): void {
  const all = processes()
  const below = (pid: number): readonly number[] =>
    all.flatMap((each) => (each.parent === pid ? [each.pid, ...below(each.pid)] : []))
  for (const pid of below(process.pid)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
}

function processes(): readonly { readonly pid: number; readonly parent: number }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        // The name stands in parentheses and may hold any byte.
        const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return [{ pid: Number(name), parent: Number(parent) }]
      } catch {
        return []
      }
    })
}
