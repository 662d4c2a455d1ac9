import type { Column } from '../schema/columns.ts'
import type { Rank, Ranks } from '../schema/summary.ts'
import { fillLine, isText, type Layout, total } from './layout.ts'

/** Keys of these kinds can be much longer than usual, and still say something when they are cut. */
export const cutKinds: ReadonlySet<string> = new Set(['address', 'container'])
const narrowestCut = 15

/** Numbers have room for so many digits at least, so that the table does not change with each interval. */
const fewestDigits = 5
const usualDigits = 9

/**
 * The table of a summary within a terminal's width; `needed`: how wide the cells of each column are. Figures stay, and are whole.
 * What stands beside them gives way: keys that the probe's own table has not, from the right; then what numbers have to spare, and
 * long headings of figures; then texts and addresses, which are cut; and at last the time, and the other keys, from the right, but for one.
 */
export function fitGroups(
  columns: readonly Column[],
  ranks: Ranks,
  needed: readonly number[],
  limit: number,
): Layout {
  const is = (rank: Rank['is']) => (column: Column) => (ranks[column.name]?.is ?? 'key') === rank
  const neededOf = ({ name }: Column) =>
    needed[columns.findIndex((each) => each.name === name)] ?? 0
  const whole = columns.map((column) => withRoom(column, neededOf(column)))
  const own = without(whole, is('extra'), 0, (some) => isWithin(some, 'width', limit))
  const stages = [
    own,
    own.map(tight),
    own.map((column) =>
      tight(
        withRoom(
          { ...column, heading: ranks[column.name]?.short ?? column.heading },
          neededOf(column),
        ),
      ),
    ),
  ]
  const chosen = stages.find((stage) => isWithin(stage, 'width', limit)) ?? stages.at(-1) ?? own
  const canFit = (some: readonly Column[]) => isWithin(some, 'min', limit)
  const shown = without(without(chosen, is('time'), 0, canFit), is('key'), 1, canFit)
  const names = shown.map(({ name }) => name)
  const dropped = columns.map(({ name }) => name).filter((name) => !names.includes(name))
  return { columns: shown, widths: fillLine(shown, limit), dropped, limit }
}

/** Without as many of these columns, from the right, as it takes to fit, but for the least. */
function without(
  columns: readonly Column[],
  isOne: (column: Column) => boolean,
  least: number,
  fits: (columns: readonly Column[]) => boolean,
): readonly Column[] {
  const shown = [...columns]
  while (!fits(shown) && shown.filter(isOne).length > least)
    shown.splice(shown.findLastIndex(isOne), 1)
  return shown
}

function isWithin(columns: readonly Column[], size: 'width' | 'min', limit: number): boolean {
  return total(columns.map((column) => column[size])) <= limit
}

/** Numbers without room to spare. */
function tight(column: Column): Column {
  return isText(column) || cutKinds.has(column.kind) ? column : { ...column, width: column.min }
}

/** The column with the widths that its cells need. */
function withRoom(column: Column, needed: number): Column {
  if (isText(column)) return column
  const least = Math.max(column.heading.length, needed)
  const room = (digits: number) => Math.max(least, Math.min(column.width, digits))
  if (!cutKinds.has(column.kind))
    return { ...column, width: room(usualDigits), min: room(fewestDigits) }
  const width = Math.max(least, column.width)
  return { ...column, width, min: Math.min(width, Math.max(column.heading.length, narrowestCut)) }
}
