import type { AnyEvent, EventSpec } from '../schema/define.ts'
import type { RecordLayout } from './layout.ts'

/** Why a record could not become an event. */
export type FaultReason =
  | 'damaged'
  | 'number'
  | 'range'
  | 'address'
  | 'too-long'
  | 'missing-part'
  | 'unknown-code'

/** Turns the kernel's clock into wall-clock time; `offsetNs` is added and may be replaced while running. */
export interface Clock {
  offsetNs: bigint
}

/** Called in stream order. Texts are latin1 strings: one character a byte. */
export interface DecoderHandlers {
  /** A decoded event (mode `object`). */
  event(event: AnyEvent, type: string): void
  /** One or more NDJSON lines with their LF, as latin1 characters that are UTF-8 bytes (mode `ndjson`). */
  lines(text: string, type: string, count: number): void
  /** A heartbeat: the kernel's clock, decimal. Proves that everything is attached. */
  heartbeat(ktime: string): void
  /** The end gate closed at this time by the kernel's clock: nothing was emitted later. */
  end(ktime: string): void
  /** A record that could not become an event; `type` is null when even its code was unreadable. */
  fault(type: string | null, reason: FaultReason): void
  /** A line outside records, without its LF, cut at 64 KiB. Never trusted. */
  other(line: string): void
}

export interface DecoderOptions {
  readonly token: string
  readonly events: Readonly<Record<string, EventSpec>>
  readonly layouts: readonly RecordLayout[]
  readonly clock: Clock
  readonly handlers: DecoderHandlers
  readonly mode: 'object' | 'ndjson'
}

export interface Decoder {
  push(chunk: Buffer): void
  /** The stream is over: an unfinished record is a fault, an unfinished line a line. */
  end(): void
  /** `ndjson` is the fast path; `object` when someone must look into the event. Takes effect with the next push. */
  setMode(mode: 'object' | 'ndjson'): void
}
