import { EbpfRunError } from '../errors.ts'
import type { AnyEvent } from '../schema/define.ts'
import { textBytes } from './texts.ts'

/** The bytes of a text field, or of one item of a list (`argv[3]`), exactly as shown: what was cut is not there. Throws BAD_VALUE where there is no text. */
export function bytesOf(event: AnyEvent, field: string): Buffer {
  const value = valueOf(event, field)
  if (typeof value !== 'string') throw unfit(event, field, 'a text')
  return textBytes(value, event.escaped?.includes(field) === true)
}

/** A field of 64 bits as a bigint. Throws BAD_VALUE where there is no whole number. */
export function bigintOf(event: AnyEvent, field: string): bigint {
  const value = event[field]
  if (typeof value === 'string' && /^[0-9]{1,20}$/.test(value)) return BigInt(value)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  throw unfit(event, field, 'a whole number')
}

function valueOf(event: AnyEvent, field: string): unknown {
  const item = /^(\w+)\[([0-9]+)\]$/.exec(field)
  if (!item) return event[field]
  const list = event[item[1] ?? '']
  return Array.isArray(list) ? list[Number(item[2])] : undefined
}

function unfit(event: AnyEvent, field: string, expected: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `field ${field} of event ${event.event} holds no such value`,
    expected,
    found: JSON.stringify(valueOf(event, field)) ?? 'nothing',
  })
}
