import { heartbeatMs } from '../plan/footer.ts'
import type { Account } from '../wire/account.ts'
import type { Child } from './child.ts'
import { within } from './deferred.ts'

/** What the end of a run looks at. */
export interface Ending {
  readonly child: Child
  /** The program has said that it emits nothing more. */
  isGateClosed(): boolean
  /** All that it counted for itself has been read; true where it counts nothing for itself. */
  isDumped(): boolean
  /** The child is gone. */
  isOver(): boolean
  live(): Account
  /** Waits until the kernel's counts were read once more, at most so long. */
  nextCount(mostMs: number): Promise<void>
  /** Milliseconds since the child last wrote. */
  silentMs(): number
}

/** Asks the program to emit nothing more. */
export async function closeGate(run: Ending, until: number): Promise<void> {
  // The kernel skips the gate's program while another runs on that CPU, so it is asked again until it has answered.
  while (!run.isGateClosed() && !run.isOver() && Date.now() < until) {
    run.child.signal('SIGURG')
    await run.nextCount(heartbeatMs)
  }
}

/**
 * Until what was emitted has arrived, or nothing moves any more, or time is up. Behind a closed gate a count is final; without
 * one, what was counted after the end must have arrived by the next count.
 */
export async function drain(run: Ending, until: number): Promise<void> {
  let before: Totals | null = null
  while (Date.now() < until && !run.isOver()) {
    const now = totals(run.live())
    const target = run.isGateClosed() ? now.emitted : before?.emitted
    if (target !== undefined && now.received >= target) return
    const isStill = now.emitted === before?.emitted && now.received === before.received
    // Large maps take their time to be sorted before a line of them comes.
    if (isStill && run.isDumped()) return
    before = now
    await run.nextCount(Math.min(4 * heartbeatMs, Math.max(1, until - Date.now())))
  }
}

/** How often the allowed silence a child may go on writing after it was told to end: heartbeats alone never stop. */
const patience = 6

/** SIGINT, and harder signals when nothing was heard of the child for so long, or it goes on and on. */
export async function stopChild(run: Ending, silenceMs: number): Promise<void> {
  const { child } = run
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    if (signal === 'SIGKILL') child.kill()
    else child.signal(signal)
    const from = Date.now()
    const elapsed = (): number => Date.now() - from
    while (Math.min(run.silentMs(), elapsed()) < silenceMs && elapsed() < patience * silenceMs) {
      if (await within(child.exited, 100)) return
    }
  }
  await child.exited
}

interface Totals {
  readonly emitted: number
  readonly received: number
}

function totals(account: Account): Totals {
  const all = Object.values(account.events)
  return {
    emitted: all.reduce((sum, each) => sum + (each.emitted ?? 0), 0),
    received: all.reduce((sum, each) => sum + each.received, 0),
  }
}
