import { EbpfRunError } from '../errors.ts'
import type { AnyEvent, EventSpec } from '../schema/define.ts'
import { createWallClock } from './clock.ts'
import { type Containers, noContainers } from './containers.ts'
import { createFastWay } from './fast.ts'
import { createFramer } from './framing.ts'
import { createInput } from './input.ts'
import { controlCodes, type RecordLayout } from './layout.ts'
import { createLineBatch } from './line-batch.ts'
import type { Frame } from './marks.ts'
import { createRegions } from './regions.ts'
import { createReader, type EventReader, type ReaderContext } from './reader.ts'
import { Bad, createAddresses, createClosedReader } from './values.ts'

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

/** Called in stream order. */
export interface DecoderHandlers {
  /** A decoded event (mode `object`). */
  event(event: AnyEvent, type: string): void
  /** One or more NDJSON lines with their LF, as UTF-8 (mode `ndjson`). The bytes are valid until it returns. */
  lines(lines: Buffer, type: string, count: number): void
  /** A heartbeat: the kernel's clock, decimal. Proves that everything is attached. */
  heartbeat(ktime: string): void
  /** The end gate closed at this time by the kernel's clock: nothing was emitted later. */
  end(ktime: string): void
  /** A record that could not become an event; `type` is null when even its code was unreadable. */
  fault(type: string | null, reason: FaultReason): void
  /** A line outside records as latin1, one character a byte, without its LF, cut at 64 KiB; blank ones are dropped. Never trusted. */
  other(line: string): void
}

export interface DecoderOptions {
  readonly token: string
  readonly events: Readonly<Record<string, EventSpec>>
  readonly layouts: readonly RecordLayout[]
  readonly clock: Clock
  /** Whose containers cgroups are; default: nobody knows. */
  readonly containers?: Containers
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

/**
 * The decoder of one run. Faults are told to the handlers and never thrown; BAD_DEFINITION is thrown for a token,
 * layouts or events that cannot work.
 */
export function createDecoder(options: DecoderOptions): Decoder {
  const { token, handlers, layouts } = options
  if (!/^[A-Za-z0-9]{8,64}$/.test(token))
    throw misfit('the token is not 8 to 64 letters and digits')
  const clock = createWallClock(options.clock)
  const context = {
    clock,
    addresses: createAddresses(),
    containers: options.containers ?? noContainers,
  }
  const byCode = new Map(layouts.map((layout) => [layout.code, layout]))
  const readers = readersOf(options, context)
  const readKtime = createClosedReader({ kind: 'ktime', doc: '' }, context.addresses)
  const batch = createLineBatch(handlers.lines)
  const fast = createFastWay({
    ...options,
    ...context,
    batch,
    event: (event, type) => handlers.event(event, type),
  })
  const regions = createRegions(token, options.events)
  const input = createInput()
  let mode = options.mode
  let wanted = mode
  let text = ''

  const fault = (code: string | null, reason: FaultReason) => {
    const layout = byCode.get(code ?? '')
    batch.flush()
    // A damaged part has no event of its own: the event it belongs to becomes the fault of that type.
    handlers.fault(layout && layout.part === undefined ? layout.event : null, reason)
  }

  const control = (code: string, closed: string) => {
    const ktime = readKtime(closed.slice(1))
    if (typeof ktime !== 'string')
      return fault(code, ktime instanceof Bad ? ktime.reason : 'number')
    batch.flush()
    if (code === controlCodes.heartbeat) handlers.heartbeat(ktime)
    else if (code === controlCodes.mark) regions?.mark(ktime)
    else handlers.end(ktime)
  }

  const record = (code: string, closed: string, texts: readonly string[]) => {
    const layout = byCode.get(code)
    const reader = readers.get(layout?.event ?? '')
    if (!layout || !reader) return control(code, closed)
    if (layout.part !== undefined) {
      const reason = reader.part(layout, closed, texts)
      return reason ? fault(code, reason) : undefined
    }
    const read = reader.event(closed, texts)
    if (typeof read === 'string') return fault(code, read)
    const event = regions === null ? read : regions.take(read)
    if (event === null) return fault(code, 'missing-part')
    if (mode === 'ndjson') batch.add(JSON.stringify(event), layout.event)
    else handlers.event(event, layout.event)
  }

  const framer = createFramer(token, framesOf(layouts), {
    record,
    fault,
    fast: (at) => fast.run({ bytes: input.bytes, words: input.words, text }, at, mode),
    ...(regions === null ? {} : { blank: () => void regions.line('') }),
    other(line) {
      batch.flush()
      if (regions?.line(line) !== true) handlers.other(line)
    },
  })

  const begin = () => {
    mode = wanted
    clock.sync()
  }

  const piece = (bytes: Buffer) => {
    input.append(bytes)
    text = input.text()
    input.drop(framer.push(text))
  }

  return {
    push(chunk) {
      begin()
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        piece(chunk.subarray(at, at + pieceBytes))
      }
      batch.flush()
    },
    end() {
      begin()
      text = input.text()
      framer.end(text)
      input.drop(input.length)
      batch.flush()
    },
    setMode(next) {
      wanted = next
    },
  }
}

/** A chunk is read in pieces of this size, so that a huge one does not make everything else huge. */
const pieceBytes = 262_144

function misfit(why: string): EbpfRunError {
  return new EbpfRunError({ code: 'BAD_DEFINITION', message: `the wire cannot work: ${why}` })
}

/** What framing knows of each code, control records included. */
function framesOf(layouts: readonly RecordLayout[]): ReadonlyMap<string, Frame> {
  const frames = new Map<string, Frame>(
    Object.values(controlCodes).map((code) => [code, { closed: 1, texts: 0 }]),
  )
  for (const { code, closed, texts } of layouts) {
    if (!/^[0-9a-z]$/.test(code) || frames.has(code)) throw misfit(`record code '${code}'`)
    frames.set(code, { closed: closed.length, texts: texts.length })
  }
  return frames
}

/** One careful reader for each event type. */
function readersOf(options: DecoderOptions, context: ReaderContext): Map<string, EventReader> {
  return new Map(
    Object.entries(options.events).map(([name, spec]) => [
      name,
      createReader(
        spec,
        options.layouts.filter((layout) => layout.event === name),
        context,
      ),
    ]),
  )
}
