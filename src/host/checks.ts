import type { Fact } from './facts.ts'
import { kernelRules } from './rules-kernel.ts'
import { toolRules } from './rules-tools.ts'
import { asRoot, hidden, type Check, type Rule, type Verdict } from './rules.ts'
import type { Survey } from './survey.ts'

/** Every rule applied to the survey, in the order of the table. */
export function checkSurvey(survey: Survey): Check[] {
  return [...kernelRules, ...toolRules].map((rule) => {
    const fact = rule.fact(survey)
    const { status, means, remedy } = judge(rule, survey, fact)
    return { id: rule.id, status, found: fact.evidence, means, remedy }
  })
}

function judge(rule: Rule, survey: Survey, fact: Fact): Verdict {
  if (fact.is === 'unknown') return (rule.unseen ?? unseenBy(rule))(survey)
  return fact.is === rule.good
    ? { status: 'ok', means: rule.well, remedy: null }
    : rule.bad(survey, fact)
}

function unseenBy({ reveal }: Rule): (survey: Survey) => Verdict {
  return ({ facts }) =>
    facts.privileged.is === 'yes'
      ? { status: 'unknown', means: 'could not be seen', remedy: reveal ?? null }
      : hidden('could not be seen by this user', asRoot)
}
