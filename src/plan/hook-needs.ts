import type { Fact, HookFacts } from '../host/facts.ts'
import type { Need } from '../schema/define.ts'
import type { Dialect } from './dialect.ts'

/** Needs of tracepoints and functions. */
export type HookNeed = Extract<
  Need,
  { readonly tracepoint: string } | { readonly function: string }
>

/** Whether a tracepoint or a function can be attached to, with the evidence. `dialect`: of bpftrace, null for bcc. */
export function checkHookNeed(need: HookNeed, facts: HookFacts, dialect: Dialect | null): Fact {
  if ('function' in need) return checkFunction(need.function, need.by, facts, dialect)
  const raw = need.raw ? checkRaw(facts, dialect) : null
  return raw ?? checkTracepoint(need.tracepoint, need.fields ?? [], facts)
}

/** What speaks against raw tracepoints on this host; null for nothing. */
function checkRaw(facts: HookFacts, dialect: Dialect | null): Fact | null {
  if (dialect === null) return null
  const how = dialect.rawTracepoint
  if (how === null)
    return { is: 'no', evidence: `bpftrace ${facts.bpftrace.version} has no raw tracepoints` }
  if (how === 'any' || facts.kprobes.is === 'yes') return null
  const { is, evidence } = facts.kprobes
  return {
    is,
    evidence: `bpftrace ${facts.bpftrace.version} finds raw tracepoints by the list of functions; ${evidence}`,
  }
}

function checkTracepoint(name: string, fields: readonly string[], facts: HookFacts): Fact {
  const format = facts.tracepoints[name]
  if (format === undefined)
    return { is: 'unknown', evidence: `the format of ${name} could not be read` }
  if (format === null) return { is: 'no', evidence: `this kernel has no tracepoint ${name}` }
  const missing = fields.filter((field) => !format.some((each) => each.name === field))
  return missing.length === 0
    ? { is: 'yes', evidence: `${name} is there${fields.length > 0 ? ' with its fields' : ''}` }
    : { is: 'no', evidence: `${name} has no ${missing.join(', ')} here` }
}

function checkFunction(
  name: string,
  by: 'fentry' | 'kprobe',
  facts: HookFacts,
  dialect: Dialect | null,
): Fact {
  if (by === 'fentry' && dialect?.fentry === null) {
    return { is: 'no', evidence: `bpftrace ${facts.bpftrace.version} cannot use fentry` }
  }
  const mechanism = by === 'fentry' ? facts.fentry : facts.kprobes
  if (mechanism.is !== 'yes') return mechanism
  const inBtf = by === 'fentry' ? facts.btfFunctions?.[name] : undefined
  return inBtf ?? facts.functions[name] ?? { is: 'unknown', evidence: `nobody looked for ${name}` }
}
