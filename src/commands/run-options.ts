/** One value of a filter: `443`, `'8000-8100'`, `'10.0.0.0/8'`, `'!22'`. */
export type FilterValue = string | number

/** One value, or several of which one must hold. */
type OneOrMore<Value> = Value | readonly Value[]

/** What a run takes: the filters of the command line under the same names, and how long. */
export interface RunOptions {
  readonly pid?: OneOrMore<FilterValue>
  readonly comm?: OneOrMore<string>
  readonly task?: OneOrMore<string>
  readonly match?: OneOrMore<string>
  readonly uid?: OneOrMore<FilterValue>
  readonly lport?: OneOrMore<FilterValue>
  readonly rport?: OneOrMore<FilterValue>
  readonly laddr?: OneOrMore<string>
  readonly raddr?: OneOrMore<string>
  readonly saddr?: OneOrMore<string>
  readonly daddr?: OneOrMore<string>
  readonly sport?: OneOrMore<FilterValue>
  readonly dport?: OneOrMore<FilterValue>
  readonly protocol?: OneOrMore<FilterValue>
  readonly family?: OneOrMore<FilterValue>
  /** The filter `--signal`: `signal` is what ends the run. */
  readonly signals?: OneOrMore<FilterValue>
  readonly syscall?: OneOrMore<FilterValue>
  readonly tpid?: OneOrMore<FilterValue>
  readonly dev?: OneOrMore<string>
  readonly cgroup?: OneOrMore<FilterValue>
  readonly container?: OneOrMore<string>
  /** For a probe that is attached to interfaces: the one namespace that has them, by path or name. */
  readonly netns?: OneOrMore<FilterValue>
  /** The network interfaces that such a probe is attached to. */
  readonly interface?: OneOrMore<string>
  /** `failed`: only what failed; `ok`: only what did not. */
  readonly outcome?: 'failed' | 'ok'
  /** The probe's own options, as they are typed: `{ min: '10ms' }`. */
  readonly params?: Readonly<Record<string, FilterValue>>
  /** The probe's own switches that are on, such as `['stack']` of tcpdrop. */
  readonly switches?: OneOrMore<string>
  /** Files of the probe's libraries that are not the machine's own: `{ libc: '/proc/4711/root/lib/libc.so.6' }`. */
  readonly libraries?: Readonly<Record<string, string>>
  /** Force a way of doing it. */
  readonly variant?: string
  /** Only variants of this back-end. */
  readonly backend?: string
  /** Counted from attached. */
  readonly durationMs?: number
  readonly count?: number
  readonly drainMs?: number
  readonly attachTimeoutMs?: number
  /** Total output buffer in the kernel. */
  readonly bufferBytes?: number
  /** Ends the run in good order. */
  readonly signal?: AbortSignal
  /** As root, also a probe in a folder of the user's that others than root can change. */
  readonly allowUserProbes?: boolean
}

/** What `--summary`, `--hist` and the options that go with them say. */
export interface SummaryOptions {
  /** One group for each value of these fields; without it there is one group. */
  readonly by?: OneOrMore<string>
  /** Groups of each interval, not of the whole run. */
  readonly intervalMs?: number
  /** The histogram of this quantity, instead of sums and quantiles of all. */
  readonly hist?: string
  /** Its buckets are equally wide: `MIN..MAX/STEP`, as in `0..10ms/500us`. */
  readonly linear?: string
  /** The largest first by `count`, or by the sum of this quantity. */
  readonly sort?: string
  /** The largest groups alone. */
  readonly top?: number
}

/** A run whose events are groups, counted in the kernel. */
export interface SummaryRunOptions extends RunOptions {
  readonly summary: true | SummaryOptions
}
