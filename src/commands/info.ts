import { exitCodes } from '../errors.ts'
import { backendText } from '../backends/backend.ts'
import type { HostFacts } from '../host/facts.ts'
import { shapesOnAnyHost } from '../plan/grouping.ts'
import { flagsOf } from '../plan/params.ts'
import type { LoadedProbe, Plan } from '../plan/plan.ts'
import type { Applied } from '../plan/render.ts'
import { declarations } from '../schema/declarations.ts'
import { describeText } from '../schema/docs.ts'
import { groupSchema, jsonSchema } from '../schema/json-schema.ts'
import { summaryProbe } from '../schema/summary.ts'
import type { Io } from './io.ts'
import { readRequest, readShape } from './request.ts'
import { planOnHost } from './plan-on-host.ts'
import { exitOnSignals } from './signals.ts'
import type { Parsed } from './target.ts'

type Command = (probe: LoadedProbe, parsed: Parsed, io: Io) => Promise<number>

export const describe: Command = async ({ spec }, _, io) => {
  const flags = flagsOf(spec).map(({ flag, metavar, doc }) => ({
    flag: `--${flag} ${metavar}`,
    doc,
  }))
  io.stdout(`${describeText(spec, io.columns, flags)}\n`)
  return exitCodes.ok
}

/** `ebpf-run schema PROBE`: the JSON Schema of the lines that a run with the same options prints as NDJSON. */
export const schema: Command = async ({ spec }, parsed, io) => {
  const { summary, ...host } = readShape(spec, parsed)
  const made =
    summary === null
      ? jsonSchema(spec)
      : groupSchema(spec, shapesOnAnyHost(spec, summary, host), summary.histogram)
  io.stdout(`${JSON.stringify(made, null, 2)}\n`)
  return exitCodes.ok
}

/**
 * `ebpf-run types PROBE`: TypeScript declarations, for a file that ends with .d.ts. As in the library, groups are asked for, also of
 * a probe that the command counts in the kernel by itself.
 */
export const types: Command = async ({ spec }, parsed, io) => {
  const { aggregate: _, ...ofEvents } = spec
  const { summary, ...host } = readShape(ofEvents, parsed)
  if (summary === null) io.stdout(declarations(spec))
  else {
    const { by, histogram } = summary
    const groups = summaryProbe(spec, shapesOnAnyHost(spec, summary, host), {
      histogram,
      repeats: false,
    })
    const asked = [
      histogram === null ? '--summary' : `--hist ${histogram}`,
      ...(by.length === 0 ? [] : [`--by ${by.join(',')}`]),
    ]
    io.stdout(declarations(groups, asked.join(' ')))
  }
  return exitCodes.ok
}

/** `ebpf-run print PROBE`: the program that would run here, with a placeholder for the token. */
export const print: Command = async (probe, parsed, io) => {
  const made = await planned(probe, parsed, io)
  io.stdout(made.plan.render(made.plan.placeholders))
  return exitCodes.ok
}

/** `ebpf-run plan PROBE`: which way, which filters where, and why. */
export const plan: Command = async (probe, parsed, io) => {
  const made = await planned(probe, parsed, io)
  io.stdout(
    made.output === 'json'
      ? `${JSON.stringify(planData(made.plan, made.facts), null, 2)}\n`
      : planText(made.plan, made.facts),
  )
  return exitCodes.ok
}

interface Planned {
  readonly plan: Plan
  readonly output: string
  readonly facts: HostFacts
}

async function planned(probe: LoadedProbe, parsed: Parsed, io: Io): Promise<Planned> {
  const request = readRequest(probe, parsed)
  const release = exitOnSignals()
  try {
    return { ...(await planOnHost(probe, request.plan, io.env)), output: request.output }
  } finally {
    release()
  }
}

function planData(made: Plan, facts: HostFacts): object {
  return {
    probe: made.probe.name,
    backend: made.variant.backend,
    bpftrace: facts.bpftrace.version,
    ...(facts.bcc === undefined ? {} : { bcc: facts.bcc.version }),
    variant: made.variant.name,
    considered: made.considered,
    left_out: made.leftOut,
    filters: made.filters.map(({ filter, applied }) => ({
      flag: filter.flag,
      applied,
    })),
    cannot_tell: made.variant.cannotTell,
    misses: made.variant.misses,
    without: made.without,
    cost: made.variant.cost,
    transport: {
      kind: made.buffers.transport,
      bytes: made.buffers.totalBytes,
      reason: made.buffers.reason,
    },
    jit: facts.jit,
    private_tracefs: made.privateTracefs,
    clock: made.clock,
    end_gate: made.canGate,
  }
}

const appliedTexts: Readonly<Record<Applied, string>> = {
  kernel: 'in the kernel',
  both: 'in the kernel where the owner is known; events of unknown owners are dropped after it and counted as filtered',
  after: 'after the kernel, which cannot judge it: what it refuses is counted as filtered',
}

const afterCounting =
  'after the kernel, which counts each value by itself; groups of others are dropped there and counted as filtered'

const jitTexts: Readonly<Record<HostFacts['jit']['is'], string>> = {
  yes: 'programs run as machine code',
  no: 'programs are interpreted, which costs several times more',
  unknown: 'could not tell',
}

function flagText(flag: string): string {
  return flag === 'command' ? '-- COMMAND and its descendants' : `--${flag}`
}

function planText(made: Plan, facts: HostFacts): string {
  const { variant, buffers } = made
  const filters = made.filters.map(
    ({ filter, applied }) =>
      `  ${flagText(filter.flag)}: ${applied === 'after' && made.summary !== null ? afterCounting : appliedTexts[applied]}`,
  )
  const lines = (title: string, rows: readonly string[]) =>
    rows.length === 0 ? [] : [`${title}:`, ...rows]
  return [
    `${made.probe.name} by ${variant.name} (${backendText(variant.backend, facts)})`,
    ...lines(
      'variants',
      made.considered.map(
        (each) => `  ${each.chosen ? '+' : '-'} ${each.variant}: ${each.reasons.join('\n      ')}`,
      ),
    ),
    ...lines(
      'left out',
      made.leftOut.map((each) => `  ${each}`),
    ),
    ...lines('filters', filters),
    ...lines(
      'cannot tell',
      Object.entries(variant.cannotTell).map(([field, why]) => `  ${field}: ${why}`),
    ),
    `misses: ${variant.misses}`,
    ...lines(
      'without',
      made.without.map((text) => `  ${text}`),
    ),
    `cost: ${variant.cost}`,
    `transport: ${buffers.transport}, ${buffers.totalBytes / 1024 / 1024} MiB (${buffers.reason})`,
    `jit: ${jitTexts[facts.jit.is]} (${facts.jit.evidence})`,
    `tracefs: ${made.privateTracefs ? 'mounted in a namespace of the child' : "the host's"}`,
    `clock: ${made.clock}`,
    `end gate: ${made.gate}`,
    '',
  ].join('\n')
}
