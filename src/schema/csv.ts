import { selectFields, unionFields, hasEventTypes } from './columns.ts'
import type { AnyEvent, ProbeSpec } from './define.ts'
import type { Kind, Result } from './kinds.ts'

/** What a CSV cell is made from; null is an empty cell, an empty text is `""`. */
export type CsvCell = string | number | null

export interface CsvColumn {
  readonly header: string
  cell(event: AnyEvent): CsvCell
}

/**
 * The CSV columns of a probe: one a field under its own name, two (`_code`, `_name`) for a result, a JSON array for
 * a list, then `escaped` and `cut` as field names between spaces. `event` comes first when there are several types.
 * Error: BAD_VALUE for a field that is not there.
 */
export function csvColumns(
  probe: ProbeSpec,
  fields: readonly string[] | null,
): readonly CsvColumn[] {
  const union = unionFields(probe)
  const all = Object.keys(union).filter((name) => name !== 'event' || hasEventTypes(probe))
  const names = selectFields(probe, fields) ?? all
  return [
    ...names.flatMap((name) => {
      const field = union[name]
      return field === undefined ? [] : columnsOfKind(name, field.kind)
    }),
    { header: 'escaped', cell: (event) => nameList(event.escaped) },
    { header: 'cut', cell: (event) => nameList(event.cut) },
  ]
}

const columnsByKind: Partial<Record<Kind, (name: string) => readonly CsvColumn[]>> = {
  result: (name) => [
    { header: `${name}_code`, cell: (event) => resultOf(event[name])?.code ?? null },
    { header: `${name}_name`, cell: (event) => resultOf(event[name])?.name ?? null },
  ],
  texts: (name) => [listColumn(name)],
  stack: (name) => [listColumn(name)],
}

function listColumn(header: string): CsvColumn {
  return {
    header,
    cell: (event) => (Array.isArray(event[header]) ? JSON.stringify(event[header]) : null),
  }
}

function columnsOfKind(name: string, kind: Kind): readonly CsvColumn[] {
  return columnsByKind[kind]?.(name) ?? [{ header: name, cell: (event) => scalar(event[name]) }]
}

function scalar(value: unknown): CsvCell {
  if (value === null || value === undefined) return null
  return typeof value === 'number' || typeof value === 'string' ? value : JSON.stringify(value)
}

function nameList(names: readonly string[] | undefined): CsvCell {
  return names === undefined || names.length === 0 ? null : names.join(' ')
}

/** The value as a decoded result, null for anything else. */
export function resultOf(value: unknown): Result | null {
  if (typeof value !== 'object' || value === null) return null
  if (!('code' in value) || !('name' in value)) return null
  const { code, name } = value
  return typeof code === 'number' && typeof name === 'string' ? { code, name } : null
}
