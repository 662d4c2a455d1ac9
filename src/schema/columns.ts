import { EbpfRunError } from '../errors.ts'
import type { FieldSpec, Fields, ProbeSpec } from './define.ts'
import { whereDescribed } from './docs.ts'
import { kinds, type Kind } from './kinds.ts'

/** One column of a probe's table. Widths are terminal columns, without the space between two columns. */
export interface Column {
  readonly name: string
  readonly kind: Kind
  readonly heading: string
  readonly width: number
  /** Narrowest width that is still of use; less than `width` only for texts. */
  readonly min: number
  /** Widest width that is of use; more than `width` only for texts. */
  readonly max: number
  readonly align: 'left' | 'right'
  /** It stands in the probe's default table. */
  readonly isDefault: boolean
}

interface Shape {
  /** Where the table shows less than JSON does. */
  readonly width?: number
  readonly min?: number
  heading?(name: string, utc: boolean): string
}

/** How a table differs from the kinds' own widths: HH:MM:SS.mmm, milliseconds, and texts that give way. */
const shapes: Partial<Record<Kind, Shape>> = {
  time: { width: 12, heading: (name, utc) => (utc ? `${name}(utc)` : name) },
  duration: { heading: (name) => name.replace(/_ns$/, '_ms') },
  // A sum of durations.
  u64: { heading: (name) => name.replace(/_ns$/, '_ms') },
  text: { min: 8 },
  texts: { min: 10 },
  path: { min: 10 },
  stack: { min: 10 },
}

/** The columns of a probe's table: its default ones, or those named. Error: BAD_VALUE for a field that is not there. */
export function tableColumns(
  probe: ProbeSpec,
  fields: readonly string[] | null,
  utc: boolean,
): readonly Column[] {
  const known = unionFields(probe)
  const defaults = defaultTable(probe)
  return (selectFields(probe, fields) ?? defaults).flatMap((name) => {
    const field = known[name]
    return field === undefined ? [] : [columnOf(name, field, defaults.includes(name), utc)]
  })
}

/** The fields named by --fields, each once and in that order; null for null. Error: BAD_VALUE with what there is. */
export function selectFields(
  probe: ProbeSpec,
  fields: readonly string[] | null,
): readonly string[] | null {
  if (fields === null) return null
  const known = Object.keys(unionFields(probe))
  const unknown = fields.find((name) => !known.includes(name))
  if (unknown === undefined && fields.length > 0) return [...new Set(fields)]
  const near = known.filter((name) => distance(name, unknown ?? '') <= 2)
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message:
      unknown === undefined ? '--fields names no field' : `${probe.name} has no field '${unknown}'`,
    expected: `some of ${known.join(', ')}`,
    found: unknown === undefined ? 'nothing' : `'${unknown}'`,
    remedy:
      near.length > 0 ? `did you mean --fields ${near.join(' or ')}?` : whereDescribed(probe.name),
  })
}

/** `event` and the fields of all event types of a probe. Error: BAD_DEFINITION when two types differ in a field's kind. */
export function unionFields(probe: ProbeSpec): Fields {
  const union: Record<string, FieldSpec> = {
    event: {
      kind: 'enum',
      doc: 'event type',
      width: Math.max(...Object.keys(probe.events).map((name) => name.length)),
    },
  }
  for (const event of Object.values(probe.events)) {
    for (const [name, field] of Object.entries(event.fields)) {
      const before = (union[name] ??= field)
      if (before.kind === field.kind) continue
      throw new EbpfRunError({
        code: 'BAD_DEFINITION',
        message: `field '${name}' of ${probe.name} has one kind in one event type and another in the next`,
        expected: before.kind,
        found: field.kind,
      })
    }
  }
  return union
}

/** True when the probe has event types to tell apart. */
export function hasEventTypes(probe: ProbeSpec): boolean {
  return Object.keys(probe.events).length > 1
}

function defaultTable(probe: ProbeSpec): readonly string[] {
  const names = Object.values(probe.events).flatMap((event) => event.table)
  return [...new Set(hasEventTypes(probe) ? ['event', ...names] : names)]
}

function columnOf(name: string, field: FieldSpec, isDefault: boolean, utc: boolean): Column {
  const { kind, bytes = Infinity } = field
  const shape = shapes[kind] ?? {}
  const heading = field.heading ?? (shape.heading?.(name, utc) ?? name).toUpperCase()
  const usual = shape.width ?? kinds[kind].width
  const width = Math.max(field.width ?? Math.min(usual, bytes), heading.length)
  const widest: Partial<Record<Kind, number>> = {
    text: bytes,
    texts: Infinity,
    path: Infinity,
    stack: Infinity,
  }
  return {
    name,
    kind,
    heading,
    width,
    min: Math.max(heading.length, Math.min(width, shape.min ?? width)),
    max: Math.max(width, widest[kind] ?? width),
    align: kinds[kind].align,
    isDefault,
  }
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, left] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, right] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (left === right ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
