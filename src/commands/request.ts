import { resolve } from 'node:path'
import { EbpfRunError } from '../errors.ts'
import { hostNames } from '../host/names.ts'
import { fieldsOfFilters } from '../plan/filters.ts'
import { parseFilters } from '../plan/params.ts'
import { parseLibraries } from '../plan/libraries.ts'
import { parsePlace } from '../plan/place.ts'
import type { AnyHost, SummaryRequest } from '../plan/grouping.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { Place, PlanRequest } from '../plan/plan-request.ts'
import { parseParams } from '../plan/probe-params.ts'
import { selectFields } from '../schema/columns.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { switchesAsked } from '../schema/switches.ts'
import type { SinkName } from '../sinks/index.ts'
import { only } from './only.ts'
import { parseCount, parseSize, parseTime } from './option-values.ts'
import { optionsOf, type RunOption } from './options.ts'
import type { Parsed } from './target.ts'

/** The parsed command line of one run. */
export interface RunRequest {
  readonly probe: LoadedProbe
  readonly parsed: Parsed
  readonly plan: PlanRequest
  readonly output: SinkName
  readonly fields: readonly string[] | null
  /** Names for addresses and ports; with a table only. */
  readonly resolve: boolean
  readonly durationMs: number | null
  readonly count: number | null
  /** Largest groups of a summary to show; null for all. */
  readonly top: number | null
  readonly drainMs: number
  readonly attachTimeoutMs: number
  readonly maxLost: number | null
  readonly out: string | null
  readonly record: string | null
  readonly summaryJson: string | null
  /** What to start and to trace. */
  readonly command: readonly string[] | null
  /** The user that the command runs as. */
  readonly as: string | null
  /** Trace everything while the command runs. */
  readonly all: boolean
}

/** The text of an option, null when it was not given and has no default. */
type Text = (name: string) => string | null

/** Reads and checks the whole command line before anything is started. Throws BAD_VALUE, CONFLICT. */
export function readRequest(probe: LoadedProbe, parsed: Parsed): RunRequest {
  const options = optionsOf(probe.spec)
  const text: Text = (name) => only(parsed, name, options)
  const when = whenIn(text)
  const output = (text('output') ?? 'table') as SinkName
  const fields = when('fields', (_, value) => namesIn(value))
  const isSummary = isAggregated(parsed, probe.spec)
  refuse([...conflicts, ...summaryConflicts], parsed, output, isSummary, probe.spec)
  // Those of a summary are known when the plan is.
  if (!isSummary) selectFields(probe.spec, fields)
  refuseSameFile(['out', 'record', 'summary-json'], text)
  const filters = parseFilters(probe.spec, parsed.texts, outcomeOf(parsed), hostNames)
  const summary = isSummary ? summaryOf(probe.spec, parsed, when) : null
  return {
    probe,
    parsed,
    plan: {
      filters: [
        ...filters,
        ...(parsed.command === null || isSet(parsed, 'all') ? [] : [commandFilter]),
      ],
      params: paramsOf(probe.spec, text),
      switches: switchesAsked(probe.spec, switchesGiven(probe.spec, parsed), [
        ...fieldsOfFilters(filters),
        ...(summary?.by ?? []),
        ...(fields ?? []),
      ]),
      libraries: librariesOf(probe.spec, text),
      variant: text('variant'),
      backend: text('backend'),
      bufferBytes: when('buffer', parseSize),
      summary,
      place: placeOf(parsed),
      fields: fields ?? [],
    },
    output,
    fields,
    resolve: isSet(parsed, 'resolve'),
    durationMs: when('duration', parseTime),
    top:
      when('top', (flag, value) => parseCount(flag, value, 1)) ?? (output === 'table' ? 20 : null),
    count: when('count', (flag, value) => parseCount(flag, value, 1)),
    drainMs: when('drain', parseTime) ?? 5_000,
    attachTimeoutMs: when('attach-timeout', parseTime) ?? 60_000,
    maxLost: when('max-lost', (flag, value) => parseCount(flag, value, 0)),
    out: text('out'),
    record: text('record'),
    summaryJson: text('summary-json'),
    command: parsed.command,
    as: text('as'),
    all: isSet(parsed, 'all'),
  }
}

/** What the lines of a run are: groups, or each event (`summary` is null), on any host. Throws BAD_VALUE, CONFLICT. */
export function readShape(
  spec: ProbeSpec,
  parsed: Parsed,
): AnyHost & { readonly summary: SummaryRequest | null } {
  const options = optionsOf(spec)
  const text: Text = (name) => only(parsed, name, options)
  const isSummary = isAggregated(parsed, spec)
  refuse(summaryConflicts, parsed, 'ndjson', isSummary, spec)
  const summary = isSummary ? summaryOf(spec, parsed, whenIn(text)) : null
  return {
    summary,
    switches: switchesAsked(spec, switchesGiven(spec, parsed), summary?.by ?? []),
    variant: text('variant'),
    backend: text('backend'),
  }
}

function switchesGiven({ switches = {} }: ProbeSpec, parsed: Parsed): readonly string[] {
  return Object.keys(switches).filter((name) => isSet(parsed, name))
}

/** Reads an option where it was given. */
type When = <T>(name: string, read: (flag: string, value: string) => T) => T | null

function whenIn(text: Text): When {
  return (name, read) => {
    const value = text(name)
    return value === null ? null : read(name, value)
  }
}

/** Where a probe goes that is attached to interfaces; null where none was named, as in a replay. */
function placeOf({ texts }: Parsed): Place | null {
  const lists = texts['interface']
  return lists === undefined ? null : parsePlace(lists, texts['netns'] ?? [], hostNames)
}

/** The names of a comma list, each once. */
export function namesIn(list: string): readonly string[] {
  return [...new Set(list.split(',').map((name) => name.trim()))]
}

const commandFilter = { flag: 'command', by: 'command', field: 'pid' } as const

export function isSet({ flags }: Parsed, name: string): boolean {
  return flags[name] === true
}

/** Options that do not go together. */
interface Conflict {
  readonly message: string
  readonly remedy: string
  holds(parsed: Parsed, output: SinkName, isSummary: boolean, spec: ProbeSpec): boolean
}

const conflicts: readonly Conflict[] = [
  {
    message: '--failed and --ok exclude each other',
    remedy: 'give one of them, or none for both',
    holds: (parsed) => isSet(parsed, 'failed') && isSet(parsed, 'ok'),
  },
  {
    message: '--lifecycle goes with -o ndjson',
    remedy: 'add -o ndjson',
    holds: (parsed, output) => isSet(parsed, 'lifecycle') && output !== 'ndjson',
  },
  {
    message: '--resolve goes with -o table: other formats keep addresses and ports as they are',
    remedy: 'leave out --resolve, or -o',
    holds: (parsed, output) => isSet(parsed, 'resolve') && output !== 'table',
  },
  {
    message: '--as goes with a command',
    remedy: 'add -- COMMAND, or leave out --as',
    holds: ({ texts, command }) => texts['as'] !== undefined && command === null,
  },
  {
    message: 'packets belong to no process, so a command cannot be followed',
    remedy: '--all looks at all packets while the command runs',
    holds: (parsed, _, __, { onInterfaces }) =>
      onInterfaces === true && parsed.command !== null && !isSet(parsed, 'all'),
  },
  {
    message: '--all goes with a command',
    remedy: 'add -- COMMAND, or leave out --all',
    holds: (parsed) => isSet(parsed, 'all') && parsed.command === null,
  },
]

/** Options that are about groups. */
const ofGroups = ['by', 'interval', 'sort', 'top']

/** What belongs to --summary or --hist, and what does not go with them. */
const summaryConflicts: readonly Conflict[] = [
  {
    message: '--summary and --hist exclude each other',
    remedy: 'give one of them',
    holds: (parsed) => isSet(parsed, 'summary') && parsed.texts['hist'] !== undefined,
  },
  ...ofGroups.map((name) => ({
    message: `--${name} and --events exclude each other: it is about groups`,
    remedy: `leave out --events, or --${name}`,
    holds: (parsed: Parsed) => parsed.texts[name] !== undefined && isSet(parsed, 'events'),
  })),
  ...ofGroups.map((name) => ({
    message: `--${name} goes with --summary or --hist`,
    remedy: 'add --summary',
    holds: ({ texts }: Parsed, _: SinkName, isSummary: boolean) =>
      texts[name] !== undefined && !isSummary,
  })),
  {
    message: '--linear goes with a histogram',
    remedy: 'add --hist FIELD',
    holds: (parsed, _, isSummary, { aggregate }) =>
      parsed.texts['linear'] !== undefined &&
      parsed.texts['hist'] === undefined &&
      (!isSummary || isSet(parsed, 'summary') || aggregate?.histogram === undefined),
  },
  ...['count', 'record'].map((name) => ({
    message: `--${name} is for events, and these are counted in the kernel`,
    remedy: `leave out --${name}, or add --events where the probe has it`,
    holds: ({ texts }: Parsed, _: SinkName, isSummary: boolean) =>
      texts[name] !== undefined && isSummary,
  })),
  {
    message: '--events excludes --summary and --hist',
    remedy: 'give one of them',
    holds: (parsed) =>
      isSet(parsed, 'events') && (isSet(parsed, 'summary') || parsed.texts['hist'] !== undefined),
  },
]

/** Whether events are counted in the kernel: asked for, or what the probe does unless each event is asked for. */
function isAggregated(parsed: Parsed, spec: ProbeSpec): boolean {
  if (isSet(parsed, 'summary') || parsed.texts['hist'] !== undefined) return true
  return spec.aggregate !== undefined && !isSet(parsed, 'events')
}

/** The summary that was asked for, else the probe's own; `--by` and `--interval` change either. */
function summaryOf(spec: ProbeSpec, parsed: Parsed, when: When): SummaryRequest {
  const isOwn = !isSet(parsed, 'summary') && parsed.texts['hist'] === undefined
  const own = isOwn ? spec.aggregate : undefined
  return {
    by: when('by', (_, value) => namesIn(value)) ?? own?.by ?? [],
    histogram: when('hist', (_, value) => value) ?? own?.histogram ?? null,
    linear: when('linear', (_, value) => value),
    sort: when('sort', (_, value) => value),
    intervalMs: when('interval', parseTime) ?? own?.intervalMs ?? null,
  }
}

function refuse(
  list: readonly Conflict[],
  parsed: Parsed,
  output: SinkName,
  isSummary: boolean,
  spec: ProbeSpec,
): void {
  const conflict = list.find(({ holds }) => holds(parsed, output, isSummary, spec))
  if (conflict === undefined) return
  const { message, remedy } = conflict
  const found = message.includes('-o ') ? { found: `-o ${output}` } : {}
  throw new EbpfRunError({ code: 'CONFLICT', message, ...found, remedy })
}

/** Options that only a live run can have. Throws CONFLICT. */
export function refuseLive(parsed: Parsed, options: readonly RunOption[]): void {
  const given = new Set([...Object.keys(parsed.texts), ...Object.keys(parsed.flags)])
  const live = options.filter((option) => option.live && given.has(option.name))
  if (live.length === 0) return
  const names = live.map(({ name }) => `--${name}`).join(', ')
  throw new EbpfRunError({
    code: 'CONFLICT',
    message: `${names}: only with a live run, not with replay`,
    remedy: `leave out ${names}: what a recording holds was settled when it was made`,
  })
}

function outcomeOf(parsed: Parsed): 'failed' | 'ok' | null {
  return isSet(parsed, 'failed') ? 'failed' : isSet(parsed, 'ok') ? 'ok' : null
}

function paramsOf(spec: ProbeSpec, text: Text): Readonly<Record<string, number>> {
  const given = Object.keys(spec.params ?? {}).flatMap((name) => {
    const value = text(name)
    return value === null ? [] : [[name, value] as const]
  })
  return parseParams(spec, Object.fromEntries(given))
}

function librariesOf(spec: ProbeSpec, text: Text): Readonly<Record<string, string>> {
  const given = Object.keys(spec.libraries ?? {}).flatMap((name) => {
    const value = text(name)
    return value === null ? [] : [[name, value] as const]
  })
  return parseLibraries(Object.fromEntries(given))
}

/** Two outputs in one file would write over each other. Throws CONFLICT. */
function refuseSameFile(names: readonly string[], text: Text): void {
  const seen = new Map<string, string>()
  for (const name of names) {
    const value = text(name)
    if (value === null || value.startsWith('/dev/')) continue
    const other = seen.get(resolve(value))
    seen.set(resolve(value), name)
    if (other === undefined) continue
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `--${other} and --${name} are the same file`,
      found: value,
      remedy: `give --${name} another file`,
    })
  }
}
