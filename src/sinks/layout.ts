import type { Column } from '../schema/columns.ts'
import { displayWidth, truncate } from './safe-text.ts'

/** Columns as they stand on a line, with their widths. */
export interface Layout {
  readonly columns: readonly Column[]
  readonly widths: readonly number[]
  /** Fields that found no room. */
  readonly dropped: readonly string[]
  /** Longest line allowed, null for none. */
  readonly limit: number | null
}

/** These many stay whatever the width. */
const alwaysShown = 3

/** Columns a whole line takes. A text at the end counts as narrow as it can be, for it takes what is left. */
export function lineWidth(columns: readonly Column[]): number {
  const last = columns.at(-1)
  return total(columns.map((column) => (column === last ? column.min : column.width)))
}

/** A table that goes to a file or a pipe: every column at the width of its kind. */
export function fixedLayout(columns: readonly Column[]): Layout {
  return { columns, widths: columns.map(({ width }) => width), dropped: [], limit: null }
}

/** A table that fits a terminal: texts give way first, the widest of them, then columns go; the last text takes what is left. */
export function fitLayout(columns: readonly Column[], limit: number): Layout {
  const shown = [...columns]
  while (shown.length > alwaysShown && total(shown.map(({ min }) => min)) > limit) {
    shown.splice(leastImportant(shown), 1)
  }
  const dropped = columns.filter((column) => !shown.includes(column)).map(({ name }) => name)
  return { columns: shown, widths: fillLine(shown, limit), dropped, limit }
}

/** Widths that fill a line: what can be narrower gives way, the widest first; texts take what is left, the last one first. */
export function fillLine(columns: readonly Column[], limit: number): readonly number[] {
  const widths = columns.map(({ width }) => width)
  while (total(widths) > limit) {
    const at = widestColumn(columns, widths)
    if (at < 0) break
    widths[at] = (widths[at] ?? 0) - 1
  }
  for (const [at, column] of [...columns.entries()].reverse()) {
    if (!isText(column)) continue
    const room = (widths[at] ?? 0) + Math.max(0, limit - total(widths))
    widths[at] = Math.min(column.max, room)
  }
  return widths
}

export function isSameShape(a: Layout, b: Layout): boolean {
  return a.widths.join() === b.widths.join() && a.dropped.join() === b.dropped.join()
}

/**
 * One line. A cell longer than its column (an IPv6 address) pushes the next ones right by what their own padding
 * cannot take up, so the rest of the line is in its place again as soon as possible; where the line has a limit, padding
 * further left gives way too, and at last the line's end.
 */
export function renderLine(layout: Layout, cells: readonly string[]): string {
  const { columns, limit } = layout
  const widths = [...layout.widths]
  const texts = cells.map((cell, index) => {
    const gives = limit !== null && isText(columns[index])
    return gives ? truncate(cell, widths[index] ?? 0) : cell
  })
  let line = padded(columns, widths, texts)
  for (let at = columns.length - 1; at >= 0 && limit !== null; at -= 1) {
    const excess = displayWidth(line) - limit
    if (excess <= 0) break
    const needed = displayWidth(texts[at] ?? '')
    widths[at] = Math.min(widths[at] ?? 0, Math.max(needed, (widths[at] ?? 0) - excess))
    line = padded(columns, widths, texts)
  }
  return limit === null ? line : truncate(line, limit)
}

/** One line of a table that was laid out by all its cells: each in its place, cut where its column has less room. */
export function renderAligned(
  { columns, widths, limit }: Layout,
  cells: readonly string[],
): string {
  const line = padded(
    columns,
    widths,
    cells.map((cell, at) => truncate(cell, widths[at] ?? 0)),
  )
  return limit === null ? line : truncate(line, limit)
}

/** What a reader is told of fields that found no room. */
export function roomNotes({ dropped, limit }: Layout): readonly string[] {
  if (dropped.length === 0) return []
  return [
    `no room for ${dropped.join(', ')} in ${limit} columns: --fields with these, a wider terminal, or -o csv`,
  ]
}

function padded(
  columns: readonly Column[],
  widths: readonly number[],
  cells: readonly string[],
): string {
  let overflow = 0
  const parts = columns.map((column, index) => {
    const cell = cells[index] ?? ''
    const free = (widths[index] ?? 0) - overflow - displayWidth(cell)
    overflow = Math.max(0, -free)
    const padding = ' '.repeat(Math.max(0, free))
    return column.align === 'right' ? padding + cell : cell + padding
  })
  return parts.join(' ').trimEnd()
}

export function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, Math.max(0, widths.length - 1))
}

/** Index of the column to do without: not of the default table, from the right; then from the right, a closing text last. */
function leastImportant(columns: readonly Column[]): number {
  const extra = columns.findLastIndex(({ isDefault }, index) => index >= alwaysShown && !isDefault)
  if (extra >= 0) return extra
  const last = columns.length - 1
  return isText(columns[last]) && last > alwaysShown ? last - 1 : last
}

/** Index of the widest column that can be narrower, the last of equals; -1 for none. */
function widestColumn(columns: readonly Column[], widths: readonly number[]): number {
  const widthOf = (index: number) => widths[index] ?? 0
  return columns.reduce(
    (best, { min }, index) =>
      widthOf(index) > min && (best < 0 || widthOf(index) >= widthOf(best)) ? index : best,
    -1,
  )
}

/** Kinds whose columns can be cut. */
const textKinds: ReadonlySet<string> = new Set(['text', 'texts', 'path', 'stack'])

export function isText(column: Column | undefined): boolean {
  return column !== undefined && textKinds.has(column.kind)
}
