import type { Fact } from './facts.ts'
import type { Survey } from './survey.ts'

/** One thing that was looked at, what it means for a user, and what can be done. */
export interface Check {
  /** Stable. */
  readonly id: string
  readonly status: 'ok' | 'warn' | 'blocks' | 'unknown'
  readonly found: string
  readonly means: string
  /** Something to type or do; null when all is well. */
  readonly remedy: string | null
}

/** What a rule says of an answer. */
export type Verdict = Pick<Check, 'status' | 'means' | 'remedy'>

/** A check as data: which fact, what it means when the answer is good, bad or missing. */
export interface Rule {
  readonly id: string
  readonly fact: (survey: Survey) => Fact
  /** The answer that is well. */
  readonly good: 'yes' | 'no'
  readonly well: string
  readonly bad: (survey: Survey, fact: Fact) => Verdict
  /** Default: root sees it, with what `reveal` says where even root does not. */
  readonly unseen?: (survey: Survey) => Verdict
  readonly reveal?: string
}

/** What a user who is not root can do to see more. */
export const asRoot = 'sudo ebpf-run doctor'

export const warn = (means: string, remedy: string): Verdict => ({ status: 'warn', means, remedy })
export const blocks = (means: string, remedy: string): Verdict => ({
  status: 'blocks',
  means,
  remedy,
})
export const hidden = (means: string, remedy: string): Verdict => ({
  status: 'unknown',
  means,
  remedy,
})
