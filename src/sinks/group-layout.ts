import type { Column } from '../schema/columns.ts'
import type { Ranks } from '../schema/summary.ts'
import { fillLine, isText, type Layout, total } from './layout.ts'
import { displayWidth } from './safe-text.ts'

/** Keys of these kinds can be much longer than usual, and still say something when they are cut. */
export const cutKinds: ReadonlySet<string> = new Set(['address', 'container'])
const narrowestCut = 15

/** Numbers have room for so many digits at least, so that the table does not change with each interval. */
const fewestDigits = 5
const usualDigits = 9

/**
 * The table of a summary within a terminal's width. Figures stay, and are whole. What stands beside them gives way: keys that the
 * probe's own table has not, from the right; then the long headings of figures; then the other keys, from the right, but for one.
 * Texts and addresses get narrower before a column goes, and share what is left.
 */
export function fitGroups(
  columns: readonly Column[],
  ranks: Ranks,
  rows: readonly (readonly string[])[],
  limit: number,
): Layout {
  const sized = columns.map((column, at) => {
    const needed = Math.max(0, ...rows.map((row) => displayWidth(row[at] ?? '')))
    const { short = column.heading } = ranks[column.name] ?? {}
    return {
      long: withRoom(column, needed),
      short: withRoom({ ...column, heading: short }, needed),
    }
  })
  const isExtra = ({ name }: Column) => ranks[name]?.is === 'extra'
  const isKey = ({ name }: Column) => (ranks[name]?.is ?? 'key') === 'key'

  const own = without(
    sized.map(({ long }) => long),
    isExtra,
    { limit, least: 0 },
  )
  const shorter = fits(own, limit)
    ? own
    : own.map((column) => sized.find(({ long }) => long === column)?.short ?? column)
  const shown = without(shorter, isKey, { limit, least: 1 })
  const names = shown.map(({ name }) => name)
  const dropped = columns.map(({ name }) => name).filter((name) => !names.includes(name))
  return { columns: shown, widths: fillLine(shown, limit), dropped, limit }
}

/** Without as many of these columns, from the right, as it takes to fit, but for the least. */
function without(
  columns: readonly Column[],
  isOne: (column: Column) => boolean,
  { limit, least }: { readonly limit: number; readonly least: number },
): readonly Column[] {
  const shown = [...columns]
  while (!fits(shown, limit) && shown.filter(isOne).length > least)
    shown.splice(shown.findLastIndex(isOne), 1)
  return shown
}

function fits(columns: readonly Column[], limit: number): boolean {
  return total(columns.map(({ min }) => min)) <= limit
}

/** The column with the widths that its cells need. */
function withRoom(column: Column, needed: number): Column {
  if (isText(column)) return column
  const room = (usual: number) =>
    Math.max(column.heading.length, needed, Math.min(column.width, usual))
  if (!cutKinds.has(column.kind))
    return { ...column, width: room(usualDigits), min: room(fewestDigits) }
  const width = room(column.width)
  return { ...column, width, min: Math.min(width, Math.max(column.heading.length, narrowestCut)) }
}
