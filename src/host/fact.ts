import type { Fact } from './facts.ts'

/** A fact with its evidence: what was looked at and what it said. */
export const yes = (evidence: string): Fact => ({ is: 'yes', evidence })
export const no = (evidence: string): Fact => ({ is: 'no', evidence })
export const unknown = (evidence: string): Fact => ({ is: 'unknown', evidence })

/** The first fact that is not unknown; all the evidence when every one is. */
export function firstKnown(facts: readonly Fact[]): Fact {
  return (
    facts.find((fact) => fact.is !== 'unknown') ??
    unknown(facts.map((fact) => fact.evidence).join('; '))
  )
}
