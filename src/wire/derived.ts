import type { FieldSpec } from '../schema/define.ts'
import { resultName, type Kind } from '../schema/kinds.ts'
import type { WallClock } from './clock.ts'
import type { Containers } from './containers.ts'

/** What each derived kind is computed from. A derived field that names a field of another kind is null. */
const sources: Partial<Record<Kind, readonly Kind[]>> = {
  time: ['ktime'],
  family: ['address'],
  errno: ['i32', 'result'],
  container: ['u64'],
}

/** What values are derived with. */
export interface DeriveContext {
  readonly clock: WallClock
  readonly containers: Containers
}

/** True when `field` follows from a field like `of`. */
export function isDerivedFrom(field: FieldSpec, of: FieldSpec): boolean {
  return sources[field.kind]?.includes(of.kind) === true
}

/** The derived value, given that of the field it follows from; null from null. */
export function derive(
  field: FieldSpec,
  of: unknown,
  { clock, containers }: DeriveContext,
): unknown {
  if (typeof of === 'string') {
    if (field.kind === 'time') return clock.show(of)
    if (field.kind === 'container') return containers.nameOf(of)
    return of.includes(':') ? 6 : 4
  }
  const code = typeof of === 'object' && of !== null && 'code' in of ? of.code : of
  return typeof code === 'number' && code < 0 ? resultName(code) : null
}
