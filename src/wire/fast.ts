import type { AnyEvent, EventSpec } from '../schema/define.ts'
import type { WallClock } from './clock.ts'
import type { Containers } from './containers.ts'
import { compileRecord, type FastRecord } from './compile.ts'
import { createFastSupport } from './fast-support.ts'
import type { RecordLayout } from './layout.ts'
import type { LineBatch } from './line-batch.ts'
import type { Addresses } from './values.ts'

/** Takes whole runs of records that need no second look. */
export interface FastWay {
  /** Reads records from `at` on as long as it can, in this mode. Where the first one begins that it leaves. */
  run(input: FastInput, at: number, mode: 'object' | 'ndjson'): number
}

export interface FastInput {
  readonly bytes: Uint8Array
  readonly words: DataView
  /** The same as latin1. */
  readonly text: string
}

export interface FastOptions {
  readonly token: string
  readonly events: Readonly<Record<string, EventSpec>>
  readonly layouts: readonly RecordLayout[]
  readonly clock: WallClock
  readonly addresses: Addresses
  readonly containers: Containers
  readonly batch: LineBatch
  event(event: AnyEvent, type: string): void
}

/** More than all constant text and derived values of a line: its keys, and 256 bytes for each field. */
function extraOf(spec: EventSpec): number {
  return Object.keys(spec.fields).reduce((sum, name) => sum + name.length + 256, 256)
}

export function createFastWay(options: FastOptions): FastWay {
  const { token, batch } = options
  const support = createFastSupport({ ...options, output: batch.output })
  const byCode: (Compiled | undefined)[] = Array.from({ length: 256 })
  for (const layout of options.layouts) {
    const spec = options.events[layout.event]
    if (!spec || layout.part !== undefined || ownsText(spec)) continue
    const record = compileRecord({ layout, spec, token }, support)
    const extra = extraOf(spec)
    if (record) byCode[layout.code.charCodeAt(0)] = { type: layout.event, extra, record }
  }
  const tokenBytes = Buffer.from(token, 'latin1')

  const isToken = (b: Uint8Array, at: number): boolean => {
    for (let index = 0; index < tokenBytes.length; index++) {
      if (b[at + index] !== tokenBytes[index]) return false
    }
    return true
  }

  const takeLine = ({ type, extra, record }: Compiled, input: FastInput, at: number): number => {
    support.out = batch.open(type, extra)
    const end = record.toLine(input.bytes, input.words, at, input.text)
    if (end >= 0) batch.close(support.out)
    return end
  }

  const takeEvent = ({ type, record }: Compiled, input: FastInput, at: number): number => {
    const event = record.toEvent(input.bytes, input.words, at, input.text)
    if (event === null) return -1
    const { end } = support
    // The one decode boundary of the fast way: generated from the event's own definition.
    options.event(event as AnyEvent, type)
    return end
  }

  return {
    run(input, from, mode) {
      const take = mode === 'ndjson' ? takeLine : takeEvent
      let at = from
      while (isToken(input.bytes, at)) {
        const compiled = byCode[input.bytes[at + tokenBytes.length] ?? 0]
        const end = compiled ? take(compiled, input, at + tokenBytes.length + 1) : -1
        if (end < 0) break
        at = end
      }
      return at
    },
  }
}

/** Its text came before it, outside of records. */
function ownsText({ fields }: EventSpec): boolean {
  return Object.values(fields).some(({ kind }) => kind === 'output' || kind === 'entries')
}

interface Compiled {
  readonly type: string
  readonly extra: number
  readonly record: FastRecord
}
