import { flagsOf } from '../plan/params.ts'
import { paramText } from '../plan/probe-params.ts'
import type { ProbeSpec } from '../schema/define.ts'

/** Heading of the filters in the help. */
export const filterGroup = "Filters (lists: 22,80; ranges: 8000-8100; negation: '!22'):"

/** Heading of what counts in the kernel. */
const summaryGroup = 'Summaries instead of events:'

/** An option of a command, as data: parsing, help, completion and documentation are made from it. */
export interface RunOption {
  readonly name: string
  readonly short?: string
  readonly metavar?: string
  readonly doc: string
  readonly boolean?: true
  readonly choices?: readonly string[]
  readonly default?: string
  /** Heading in the help; `Run options` without one. */
  readonly group?: string
  /** Only with a run that traces: replay refuses it. */
  readonly live?: true
  /** Read, to say why it does not fit, and not shown. */
  readonly hidden?: true
}

/** The options of every run. */
export const runOptions: readonly RunOption[] = [
  {
    name: 'duration',
    short: 'd',
    metavar: 'TIME',
    doc: 'stop after this long, counted from attached: 60, 10s, 500ms, 5m, 1h',
    live: true,
  },
  { name: 'count', short: 'n', metavar: 'N', doc: 'stop after N events' },
  {
    name: 'output',
    short: 'o',
    metavar: 'FORMAT',
    choices: ['table', 'ndjson', 'json', 'csv'],
    default: 'table',
    doc: 'output format',
  },
  { name: 'out', metavar: 'FILE', doc: 'write the events to FILE instead of stdout' },
  { name: 'fields', metavar: 'LIST', doc: 'only these fields, in this order' },
  {
    name: 'summary',
    boolean: true,
    doc: 'count in the kernel: groups with sums and quantiles instead of events',
    group: summaryGroup,
    live: true,
  },
  {
    name: 'hist',
    metavar: 'FIELD',
    doc: 'the histogram of a quantity, counted in the kernel',
    group: summaryGroup,
    live: true,
  },
  {
    name: 'linear',
    metavar: 'RANGE',
    doc: 'its buckets are equally wide: MIN..MAX/STEP, as in 0..10ms/500us; default: powers of two',
    group: summaryGroup,
    live: true,
  },
  {
    name: 'by',
    metavar: 'LIST',
    doc: 'one group for each value of these fields: raddr,rport',
    group: summaryGroup,
    live: true,
  },
  {
    name: 'interval',
    metavar: 'TIME',
    doc: 'groups of each interval, not of the whole run',
    group: summaryGroup,
    live: true,
  },
  {
    name: 'sort',
    metavar: 'FIELD',
    doc: 'the largest groups by count, or by the sum of a quantity; default: bytes and the like, else count',
    group: summaryGroup,
    live: true,
  },
  {
    name: 'top',
    metavar: 'N',
    doc: 'the N largest groups alone; 20 in tables',
    group: summaryGroup,
    live: true,
  },
  { name: 'no-header', boolean: true, doc: 'no header above tables and CSV' },
  { name: 'utc', boolean: true, doc: 'table times in UTC' },
  {
    name: 'resolve',
    boolean: true,
    doc: 'names for addresses and ports in tables: DNS, /etc/services; addresses until their name is known',
  },
  { name: 'variant', metavar: 'NAME', doc: 'force a way of doing it; plan lists them', live: true },
  {
    name: 'backend',
    metavar: 'NAME',
    choices: ['bpftrace', 'bcc'],
    doc: 'force the tool that traces',
    live: true,
  },
  {
    name: 'as',
    metavar: 'USER',
    doc: 'run COMMAND as this user',
    live: true,
  },
  {
    name: 'all',
    boolean: true,
    doc: 'trace everything while COMMAND runs, not COMMAND alone',
    live: true,
  },
  {
    name: 'buffer',
    metavar: 'SIZE',
    doc: 'total output buffer in the kernel: 16M, 256M',
    live: true,
  },
  {
    name: 'drain',
    metavar: 'TIME',
    default: '5s',
    doc: 'how long to read on at the end until all has arrived',
    live: true,
  },
  {
    name: 'attach-timeout',
    metavar: 'TIME',
    default: '60s',
    doc: 'give up when nothing is attached by then',
    live: true,
  },
  {
    name: 'max-lost',
    metavar: 'N',
    doc: 'exit 3 when more than N events were lost or the account is open',
    live: true,
  },
  {
    name: 'record',
    metavar: 'FILE',
    doc: 'keep the raw run for replay; the file is readable by its owner alone',
    live: true,
  },
  { name: 'summary-json', metavar: 'FILE', doc: "write the run's account as JSON", live: true },
  {
    name: 'lifecycle',
    boolean: true,
    doc: 'start, attached, lost and end records in NDJSON',
    live: true,
  },
  { name: 'quiet', short: 'q', boolean: true, doc: 'nothing on stderr but errors' },
  { name: 'verbose', short: 'v', boolean: true, doc: 'also what the back-end says', live: true },
]

/** Where a probe goes that is attached to network interfaces. */
const placeOptions: readonly RunOption[] = [
  {
    name: 'interface',
    metavar: 'NAME',
    doc: 'network interfaces to look at: eth0,eth1',
    live: true,
  },
  {
    name: 'netns',
    metavar: 'NS',
    doc: 'network namespace that has them: path or `ip netns` name',
    live: true,
  },
]

const shapeNames: ReadonlySet<string> = new Set([
  ...['events', 'summary', 'hist', 'linear', 'by'],
  ...['variant', 'backend'],
])

/** Those that say what the lines of a run are: of a probe, or of any. */
export function shapeOptionsOf(probe: ProbeSpec | null): readonly RunOption[] {
  const switches = new Set(Object.keys(probe?.switches ?? {}))
  return (probe === null ? runOptions : optionsOf(probe))
    .filter(({ name }) => shapeNames.has(name) || switches.has(name))
    .map((option) => ({ ...option, group: option.group ?? 'Options:' }))
}

/** Filters, options of the probe's own, and those of every run. */
export function optionsOf(probe: ProbeSpec): readonly RunOption[] {
  const outcome: readonly RunOption[] =
    probe.failed === undefined
      ? []
      : [
          { name: 'failed', boolean: true, doc: 'only what failed' },
          { name: 'ok', boolean: true, doc: 'only what did not fail' },
        ]
  const filters = [
    ...flagsOf(probe).map(({ flag, metavar, doc, ofTask }) => ({
      name: flag,
      metavar,
      doc,
      // No event carries it, so a replay cannot know.
      ...(ofTask ? { live: true as const } : {}),
    })),
    ...outcome,
  ].map((option) => ({ ...option, group: filterGroup }))
  const params = Object.entries(probe.params ?? {}).map(([name, param]) => ({
    name,
    metavar: param.unit === 'ns' ? 'TIME' : 'N',
    doc: param.doc,
    default: paramText(param, param.default),
    live: true as const,
  }))
  const switches = Object.entries(probe.switches ?? {}).map(([name, { doc }]) => ({
    name,
    boolean: true as const,
    doc,
    live: true as const,
  }))
  const libraries = Object.entries(probe.libraries ?? {}).map(([name, { doc }]) => ({
    name,
    metavar: 'FILE',
    doc,
    live: true as const,
  }))
  const events =
    probe.aggregate === undefined
      ? []
      : [
          {
            name: 'events',
            boolean: true as const,
            doc: 'each event, not a summary',
            group: summaryGroup,
          },
        ]
  const place = probe.onInterfaces ? placeOptions : []
  return [...place, ...filters, ...params, ...switches, ...libraries, ...events, ...runOptions]
}
