import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'
import type { AnyEvent } from '../schema/define.ts'
import type { Account } from '../wire/account.ts'
import type { Owner } from '../wire/owner.ts'
import type { Calibration } from './clock.ts'
import type { OwnerFigures } from './owners.ts'

export type State = 'starting' | 'attached' | 'stopping' | 'ended' | 'failed'

/** Why a run ended. */
export type EndReason =
  | 'duration'
  | 'count'
  | 'interrupt'
  | 'terminate'
  | 'hangup'
  | 'stop'
  | 'output-closed'
  | 'command'
  /** The program ended itself: a script's exit(). */
  | 'exit'

/** Groups that are not among the largest, and the events in them. */
export interface Unshown {
  readonly groups: number
  readonly events: number
}

/** Who takes the events. Called in stream order. */
export interface Consumer {
  event(event: AnyEvent): void
  /**
   * Of a summary: all groups of an interval were handed over, or there were none; `isEnding`: the run is about to end; `unshown`: the
   * groups that were left out, for more than the largest ones were there.
   */
  batch?(isEnding: boolean, unshown: Unshown): void
  /** Present: takes ready-made NDJSON instead, valid until it returns, where nobody has to look into the events. */
  lines?(lines: Buffer): void
}

/** Whoever watches a session: everything is optional, nothing may throw. */
export interface Watcher {
  /** Before anything else; only a recording may keep the token. */
  begin?(token: string): void
  state?(state: State): void
  /** A line of the back-end that is no record: for -v. */
  log?(line: string, from: 'stdout' | 'stderr'): void
  /** Raw bytes as they came, for a recording. */
  bytes?(chunk: Buffer): void
  clock?(calibration: Calibration): void
  /** Owners by /proc of the events of the last bytes: each with its place among all events of the run. */
  owned?(owners: readonly (readonly [number, Owner])[]): void
  /** The container of a cgroup that an event has, once for each. */
  container?(cgroup: string, container: string): void
  warn?(text: string): void
}

export interface SessionOptions {
  readonly plan: Plan
  readonly facts: HostFacts
  /** Where the back-ends' files stand in the package: src/backends/, with a slash. */
  readonly filesFolder: string
  readonly consumer: Consumer
  readonly watcher: Watcher
  readonly durationMs: number | null
  readonly count: number | null
  /** Groups shown of each dump of a summary, the largest first; absent or null for all. */
  readonly top?: number | null
  readonly drainMs: number
  readonly attachTimeoutMs: number
  /** How long a child that is told to end may say nothing before it is told harder; default 5 s. */
  readonly silenceMs?: number
  /** Process id of the command that the plan follows. */
  readonly commandPid?: number
}

/** What a run leaves: its account and how it went. */
export interface SessionResult {
  readonly account: Account
  readonly end: EndReason
  readonly startedAt: Date
  /** From the start of the back-end; null when it was never attached. */
  readonly attachedAfterMs: number | null
  readonly ranMs: number
  readonly clockErrorNs: number
  /** Sum of the back-end's own "Lost N events" lines: a hint, in no arithmetic. */
  readonly lostHint: number
  /** Lines that a script printed and that could not be typed. */
  readonly untypedLines: number
  /** Values that were counted in no histogram, because the kernel's map of buckets was full. */
  readonly unplacedValues: number
  /** Null where owners are not looked up by /proc. */
  readonly owners: OwnerFigures | null
}

export interface Session {
  readonly pid: number
  /** Resolves when everything is attached; rejects when that fails. */
  readonly attached: Promise<void>
  /** Resolves when the child is gone and the account is closed; rejects when the run failed. */
  readonly ended: Promise<SessionResult>
  /** Ends the run in good order. A second call changes nothing. */
  stop(reason: EndReason): void
  /** Ends it at once: the child is killed and the account stays open. */
  force(): void
  /** Slows the reading while the consumer is behind. */
  pause(): void
  resume(): void
  /** The figures so far: estimates. */
  live(): Account
}
