import { setTimeout as sleep } from 'node:timers/promises'
import { EbpfRunError } from '../../src/errors.ts'
import { type LoadedProbe, makePlan } from '../../src/plan/plan.ts'
import { common } from '../../src/schema/common.ts'
import { defineProbe } from '../../src/schema/define.ts'
import type { AnyEvent } from '../../src/schema/define.ts'
import { startSession } from '../../src/session/session.ts'
import type { Session, SessionOptions, SessionResult, State } from '../../src/session/types.ts'
import { makeFake, type Step } from '../fakes/make-fake.ts'
import { factsFor } from '../plan/handmade-facts.ts'

/** The smallest probe: the fake makes its events, no kernel is asked. */
export const ticker: LoadedProbe = {
  spec: defineProbe({
    name: 'ticker',
    summary: 'ticks',
    example: 'ebpf-run ticker',
    owner: 'task',
    events: {
      tick: {
        doc: 'one tick',
        fields: {
          time: common.time,
          ktime_ns: common.ktime_ns,
          pid: common.pid,
          comm: common.comm,
        },
        table: ['time', 'pid', 'comm'],
      },
    },
    variants: [
      {
        name: 'interval',
        backend: 'bpftrace',
        template: 'interval.bt',
        needs: [],
        cannotTell: {},
        misses: 'nothing',
        cost: 'none',
      },
    ],
  }),
  templates: { interval: 'interval:s:1\n{\n  {{emit tick\n    task\n  }}\n}\n' },
}

/** A session under test with what it told so far. */
export interface Ticking {
  readonly session: Session
  readonly events: readonly AnyEvent[]
  readonly states: readonly State[]
  /** Lines outside records, `stdout: …` or `stderr: …`. */
  readonly log: readonly string[]
}

/** Starts the ticker on a fake that plays `steps`. */
export function tick(
  steps: readonly Step[],
  differences: Partial<SessionOptions> & { readonly version?: string; readonly gate?: false } = {},
): Ticking {
  const { version = '0.17.0', gate = true, ...options } = differences
  const fake = makeFake(steps)
  const facts = {
    ...factsFor(ticker, version),
    bpftrace: { found: { is: 'yes', evidence: 'fake' }, path: fake.path, version },
    ...(gate ? {} : { tracepoints: {} }),
  } as const
  const plan = makePlan(
    ticker,
    { filters: [], params: {}, variant: null, backend: null, bufferBytes: null },
    facts,
  )
  const events: AnyEvent[] = []
  const states: State[] = []
  const log: string[] = []
  const session = startSession({
    plan,
    facts,
    filesFolder: '/nowhere',
    consumer: { event: (event) => void events.push(event) },
    watcher: {
      state: (state) => void states.push(state),
      log: (line, from) => void log.push(`${from}: ${line}`),
    },
    durationMs: null,
    count: null,
    drainMs: 5_000,
    attachTimeoutMs: 60_000,
    ...options,
  })
  return { session, events, states, log }
}

/** The error a session ended with, with the result that it carries. */
export async function failureOf(
  session: Session,
): Promise<{ readonly error: EbpfRunError; readonly result: SessionResult }> {
  try {
    await session.ended
  } catch (error) {
    if (error instanceof EbpfRunError && 'result' in error)
      return { error, result: error.result as SessionResult }
    throw error
  }
  throw new Error('the session ended well')
}

/** Waits until something holds; the test's own timeout is the limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10)
}
