import { inspect } from 'node:util'
import { nearest } from '../catalog/nearest.ts'
import { EbpfRunError } from '../errors.ts'
import { hostNames } from '../host/names.ts'
import { parseLibraries } from '../plan/libraries.ts'
import { fieldsOfFilters } from '../plan/filters.ts'
import { flagsOf, parseFilters } from '../plan/params.ts'
import { parsePlace, requirePlace } from '../plan/place.ts'
import type { SummaryRequest } from '../plan/grouping.ts'
import type { PlanRequest } from '../plan/plan-request.ts'
import { parseParams } from '../plan/probe-params.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { switchesAsked } from '../schema/switches.ts'
import { isCount, isSize, isTime } from './option-values.ts'
import { runOptions } from './options.ts'
import { namesIn } from './request.ts'
import type { FilterValue, SummaryOptions, SummaryRunOptions } from './run-options.ts'

/** The checked options of one run. */
export interface LibraryRequest {
  readonly plan: PlanRequest
  readonly session: {
    readonly durationMs: number | null
    readonly count: number | null
    readonly top: number | null
    readonly drainMs: number
    readonly attachTimeoutMs: number
  }
}

/** What the value of an option must be. */
interface Rule {
  readonly expected: string
  readonly example: string
  holds(value: unknown): boolean
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isWord = (value: unknown): value is FilterValue => isText(value) || Number.isFinite(value)
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** By its shape: one of another realm is no instance of ours. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return isRecord(value) && 'aborted' in value && typeof value['addEventListener'] === 'function'
}

const text = (example: string): Rule => ({ expected: 'a text', example, holds: isText })
const number = (expected: string, example: string, isWithin: (value: number) => boolean): Rule => ({
  expected,
  example,
  holds: (value) => typeof value === 'number' && isWithin(value),
})
const choice = (choices: readonly string[]): Rule => ({
  expected: `one of ${choices.join(', ')}`,
  example: `'${choices[0]}'`,
  holds: (value) => isText(value) && choices.includes(value),
})
const time = number('a number of milliseconds above 0, at most 24 days', '60_000', isTime)
const count = number('a whole number from 1 on', '10', (value) => isCount(value, 1))

/** An empty list is none: who computed it would see everything, and not nothing. */
const list: Rule = {
  expected: 'a text, a number, or a list of at least one of them',
  example: "[443, '8000-8100']",
  holds: (value) =>
    isWord(value) || (Array.isArray(value) && value.length > 0 && value.every(isWord)),
}
const names: Rule = {
  expected: 'a name or a list of names',
  example: "['stack']",
  holds: (value) => isText(value) || (Array.isArray(value) && value.every(isText)),
}

/** The options of every probe that are no filters. */
const rules = {
  params: {
    expected: 'an object of texts and numbers',
    example: "{ min: '10ms' }",
    holds: (value) => isRecord(value) && Object.values(value).every(isWord),
  },
  switches: names,
  libraries: {
    expected: 'an object of paths',
    example: "{ libc: '/proc/4711/root/lib/libc.so.6' }",
    holds: (value) => isRecord(value) && Object.values(value).every(isText),
  },
  variant: text("'tracepoint'"),
  backend: choice(runOptions.find(({ name }) => name === 'backend')?.choices ?? []),
  durationMs: time,
  count,
  drainMs: time,
  attachTimeoutMs: time,
  bufferBytes: number(
    'a whole number of bytes from 65536 (64K) to 17179869184 (16G)',
    '64 * 2 ** 20',
    isSize,
  ),
  signal: {
    expected: 'an AbortSignal',
    example: 'AbortSignal.timeout(60_000)',
    holds: isAbortSignal,
  },
  allowUserProbes: {
    expected: 'true or false',
    example: 'true',
    holds: (value) => typeof value === 'boolean',
  },
  summary: {
    expected: 'true or an object',
    example: "{ by: ['raddr'] }",
    holds: (value) => value === true || isRecord(value),
  },
} satisfies Partial<Record<keyof SummaryRunOptions, Rule>>

const outcomeRule = choice(['failed', 'ok'])

const summaryRules: Readonly<Record<keyof SummaryOptions, Rule>> = {
  by: { ...names, example: "['raddr', 'rport']" },
  intervalMs: time,
  hist: text("'duration_ns'"),
  linear: text("'0..10ms/500us'"),
  sort: text("'count'"),
  top: count,
}

/** Filters whose name means something else here. */
const renamed: Readonly<Record<string, string>> = { signal: 'signals' }

/** What the command line calls otherwise. */
const hints: Readonly<Record<string, string>> = {
  failed: "outcome: 'failed'",
  ok: "outcome: 'ok'",
  buffer: 'bufferBytes',
  drain: 'drainMs',
  'attach-timeout': 'attachTimeoutMs',
  by: "summary: { by: ['raddr'] }",
  hist: "summary: { hist: 'duration_ns' }",
  linear: "summary: { hist: 'duration_ns', linear: '0..10ms/500us' }",
  interval: 'summary: { intervalMs: 1_000 }',
  intervalMs: 'summary: { intervalMs: 1_000 }',
  sort: "summary: { sort: 'count' }",
  top: 'summary: { top: 10 }',
}

/**
 * Checks the options of a run before anything is started. They come from JavaScript, so nothing is known of their types. Throws
 * UNKNOWN_OPTION for one that this probe does not have, BAD_VALUE, CONFLICT.
 */
export function readRunOptions(spec: ProbeSpec, options: unknown): LibraryRequest {
  if (!isRecord(options)) throw badValue('options', 'an object', '{ durationMs: 60_000 }', options)
  const filters = flagsOf(spec).map(({ flag }) => ({ flag, name: renamed[flag] ?? flag }))
  const all = {
    ...Object.fromEntries(filters.map(({ name }) => [name, list])),
    ...(spec.onInterfaces ? { interface: list, netns: list } : {}),
    ...(spec.failed === undefined ? {} : { outcome: outcomeRule }),
    ...rules,
  }
  const given = check(options, all, {
    unknown: (name) => `${spec.name} has no option '${name}'`,
    hints: { ...hintsOf(spec), ...hints },
  })
  const textsOf = (name: string) => [given[name] ?? []].flat().map(String)
  const numberOf = (name: string) => (given[name] ?? null) as number | null
  const summary = summaryIn(given)
  const params = isRecord(given['params']) ? given['params'] : {}
  const switches = textsOf('switches')
  requireKnown(Object.keys(params), Object.keys(spec.params ?? {}), {
    unknown: (name) => `${spec.name} has no option '${name}' of its own`,
  })
  requireKnown(switches, Object.keys(spec.switches ?? {}), {
    unknown: (name) => `${spec.name} has no switch '${name}'`,
  })
  const libraries = isRecord(given['libraries']) ? given['libraries'] : {}
  requireKnown(Object.keys(libraries), Object.keys(spec.libraries ?? {}), {
    unknown: (name) => `${spec.name} has no library '${name}'`,
  })
  const place =
    given['interface'] === undefined
      ? null
      : parsePlace(textsOf('interface'), textsOf('netns'), hostNames)
  requirePlace(spec, place)
  const parsed = parseFilters(
    spec,
    Object.fromEntries(filters.map(({ flag, name }) => [flag, textsOf(name)])),
    (given['outcome'] ?? null) as 'failed' | 'ok' | null,
    hostNames,
  )
  return {
    plan: {
      filters: parsed,
      params: parseParams(
        spec,
        Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
      ),
      switches: switchesAsked(spec, switches, [
        ...fieldsOfFilters(parsed),
        ...(summary?.request.by ?? []),
      ]),
      libraries: parseLibraries(
        Object.fromEntries(Object.entries(libraries).map(([name, path]) => [name, String(path)])),
      ),
      variant: (given['variant'] ?? null) as string | null,
      backend: (given['backend'] ?? null) as string | null,
      bufferBytes: numberOf('bufferBytes'),
      summary: summary === null ? null : summary.request,
      place,
    },
    session: {
      durationMs: numberOf('durationMs'),
      count: numberOf('count'),
      top: summary?.top ?? null,
      drainMs: numberOf('drainMs') ?? 5_000,
      attachTimeoutMs: numberOf('attachTimeoutMs') ?? 60_000,
    },
  }
}

type Given = Readonly<Record<string, unknown>>

/** What is given of `summary`, checked; null without it. Throws as `readRunOptions`. */
function summaryIn({
  summary,
  count: wanted,
}: Given): { readonly request: SummaryRequest; readonly top: number | null } | null {
  if (summary === undefined) return null
  const { by, intervalMs, hist, linear, sort, top } = check(
    summary === true ? {} : (summary as object),
    summaryRules,
    { unknown: (name) => `summary has no option '${name}'` },
  ) as SummaryOptions
  if (linear !== undefined && hist === undefined)
    throw conflict('linear goes with a histogram', "summary: { hist: 'duration_ns', linear: … }")
  if (wanted !== undefined)
    throw conflict('count is for events, and these are counted in the kernel', 'leave out count')
  return {
    request: {
      by: [by ?? []].flat().flatMap(namesIn),
      histogram: hist ?? null,
      linear: linear ?? null,
      sort: sort ?? null,
      intervalMs: intervalMs ?? null,
    },
    top: top ?? null,
  }
}

/** What is said of a name that is not known; `hints`: what to write instead of some, an option that may not be known either. */
interface Unknown {
  unknown(name: string): string
  readonly hints?: Readonly<Record<string, string>>
}

/** The options that are given (not undefined), of which each is known and holds its rule. Throws UNKNOWN_OPTION, BAD_VALUE. */
function check(options: object, all: Readonly<Record<string, Rule>>, words: Unknown): Given {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  requireKnown(
    given.map(([name]) => name),
    Object.keys(all),
    words,
  )
  for (const [name, value] of given) {
    const rule = all[name]
    if (rule?.holds(value) === false) throw badValue(name, rule.expected, rule.example, value)
  }
  return Object.fromEntries(given)
}

/** Throws UNKNOWN_OPTION. */
function requireKnown(
  typed: readonly string[],
  known: readonly string[],
  { unknown, hints: hinted = {} }: Unknown,
): void {
  const name = typed.find((each) => !known.includes(each))
  if (name === undefined) return
  const hint = Object.hasOwn(hinted, name) ? hinted[name] : undefined
  const close =
    hint !== undefined && known.includes(hint.split(':')[0] ?? '') ? hint : nearest(name, known)
  throw new EbpfRunError({
    code: 'UNKNOWN_OPTION',
    message: unknown(name),
    expected: known.join(', ') || 'none',
    found: name,
    remedy: close === null ? 'leave it out' : `did you mean ${close}?`,
  })
}

/** The probe's own options and switches, where they stand here. */
function hintsOf(spec: ProbeSpec): Record<string, string> {
  return Object.fromEntries([
    ...Object.keys(spec.params ?? {}).map((name) => [name, `params: { ${name}: … }`]),
    ...Object.keys(spec.switches ?? {}).map((name) => [name, `switches: ['${name}']`]),
    ...Object.keys(spec.libraries ?? {}).map((name) => [name, `libraries: { ${name}: … }`]),
  ])
}

function badValue(name: string, expected: string, example: string, found: unknown): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `${name}: ${expected} was expected`,
    expected,
    found: inspect(found, {
      depth: 1,
      maxStringLength: 100,
      maxArrayLength: 10,
      breakLength: Infinity,
    }),
    remedy: `for example ${name}: ${example}`,
  })
}

function conflict(message: string, remedy: string): EbpfRunError {
  return new EbpfRunError({ code: 'CONFLICT', message, remedy })
}
