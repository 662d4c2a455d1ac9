import type { AnyEvent, ProbeSpec } from '../schema/define.ts'

/** Where bytes of a sink go. `write` takes its own copy, and returns false when the reader is behind. */
export interface Out {
  write(bytes: string | Buffer): boolean
  readonly isTerminal: boolean
  /** Columns of the terminal, null for none. */
  columns(): number | null
  /** Lines of a terminal on which what was written can be drawn anew, null for none. */
  rows(): number | null
  readonly color: boolean
}

export interface SinkOptions {
  readonly probe: ProbeSpec
  /** Fields to show, null for the sink's default. */
  readonly fields: readonly string[] | null
  readonly header: boolean
  readonly utc: boolean
  /** The event as a table shows it, with names in place of addresses and ports. */
  readonly shown?: (event: AnyEvent) => AnyEvent
}

/** Turns events into bytes. A sink has no clock, no file and no process. */
export interface Sink {
  /** Takes ready-made NDJSON lines instead of events. */
  readonly takesLines: boolean
  begin(): void
  event(event: AnyEvent): void
  /** NDJSON lines as UTF-8, valid until it returns. */
  lines(lines: Buffer): void
  /** All groups of an interval were there, or none; `isEnding`: the run ends, so the interval may be a short one. */
  batch?(isEnding: boolean): void
  end(): void
  /** After the end: what a reader should know of what was shown, a sentence each. */
  notes?(): readonly string[]
}

export type SinkFactory = (out: Out, options: SinkOptions) => Sink
