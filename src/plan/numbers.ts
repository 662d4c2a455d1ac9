import type { AnyEvent, ProbeSpec } from '../schema/define.ts'
import { deviceNumber } from '../schema/kinds.ts'
import { flagsNumber } from '../schema/names.ts'
import type { NumberOf } from './filters.ts'

/** How to get back the number that stands behind a decoded field of a probe: enums by name, results by code, devices by their two numbers, ids as bigint. */
export function numberOfFields(probe: ProbeSpec): NumberOf {
  const byName = new Map<string, Pick<ReadonlyMap<string, number>, 'get'>>()
  for (const event of Object.values(probe.events)) {
    for (const [name, field] of Object.entries(event.fields)) {
      const { flags } = field
      if (flags !== undefined)
        byName.set(name, { get: (text) => flagsNumber(text, flags) ?? undefined })
      if (field.names === undefined) continue
      byName.set(
        name,
        new Map(Object.entries(field.names).map(([number, text]) => [text, Number(number)])),
      )
    }
  }
  return (event: AnyEvent, field: string) => toNumber(event[field], byName.get(field))
}

function toNumber(
  value: unknown,
  names: Pick<ReadonlyMap<string, number>, 'get'> | undefined,
): number | bigint | null {
  if (typeof value === 'number') return value
  if (typeof value === 'string')
    return names === undefined
      ? (readDigits(value) ?? deviceNumber(value))
      : (names.get(value) ?? null)
  const hasCode = typeof value === 'object' && value !== null && 'code' in value
  return hasCode && typeof value.code === 'number' ? value.code : null
}

function readDigits(text: string): bigint | null {
  return /^\d+$/.test(text) ? BigInt(text) : null
}
