/** The account of one event type. `received = delivered + filtered + after_end + faults`; `emitted = received + lost`. */
export interface EventAccount {
  /** Counted in the kernel; null until a count was read. */
  readonly emitted: number | null
  readonly received: number
  readonly delivered: number
  /** Dropped here by a filter that could not run in the kernel. */
  readonly filtered: number
  /** Later than the run's end by the kernel's clock. */
  readonly after_end: number
  /** Emitted and not received; null while `emitted` is. Negative would be a bug of ours and is shown as it is. */
  readonly lost: number | null
  /** Records that could not become an event. */
  readonly faults: number
  /** What the kernel never handed to the program; null where no kernel counter tells. */
  readonly missed: number | null
}

export interface Account {
  /** `exact`: the final counts were read after the last event; `open`: last known figures. */
  readonly account: 'exact' | 'open'
  readonly events: Readonly<Record<string, EventAccount>>
  /** Records too damaged to tell their event type, and damaged parts; in no event's figures (what they were is lost there). */
  readonly stray_faults: number
  /** How often a map of the program was full, so that a connection or its owner could not be kept; null while it is not known. */
  readonly map_full: number | null
  /** Events that are in no group because a filter asks whose they are and nobody knows; null while it is not known. */
  readonly unowned: number | null
}
