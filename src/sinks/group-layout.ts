import type { Column } from '../schema/columns.ts'
import type { Rank, Ranks } from '../schema/summary.ts'
import { fillLine, isText, type Layout, total } from './layout.ts'

/** These can be much longer than usual, and still say something when so much of them is left. */
const narrowestCut: Readonly<Record<string, number>> = { address: 15, container: 15 }
const narrowestWord = 8

/** Numbers have room for so many digits, so that the table does not change with each interval. */
const usualDigits = 9
const fewestDigits = 5

/** What gives way first comes first; `least`: so many of them stay. */
const order: readonly { readonly is: Rank['is']; readonly least: number }[] = [
  { is: 'minor', least: 0 },
  { is: 'time', least: 0 },
  { is: 'key', least: 1 },
  { is: 'figure', least: 1 },
  { is: 'asked', least: 1 },
]

/**
 * The table of a summary within a terminal's width; `needed`: how wide the cells of each column are. Numbers are whole. First go keys
 * that the probe's own table has not, from the right; then what cells have to spare, and long headings of figures; then texts and
 * addresses are cut; and at last whole columns go, from the right, in the order of their ranks.
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
  const sizedTo = (digits: number) => (column: Column) => sized(column, neededOf(column), digits)
  const short = (column: Column) => ({
    ...column,
    heading: ranks[column.name]?.short ?? column.heading,
  })
  const isWithin = (size: 'width' | 'min') => (some: readonly Column[]) =>
    total(some.map((column) => column[size])) <= limit
  const own = without(columns.map(sizedTo(usualDigits)), is('extra'), 0, isWithin('width'))
  const left = columns.filter(({ name }) => own.some((each) => each.name === name))
  const stages = [
    own,
    left.map(sizedTo(fewestDigits)),
    left.map(short).map(sizedTo(fewestDigits)),
    left.map(short).map(sizedTo(0)),
  ]
  const chosen = stages.find(isWithin('width')) ?? stages.at(-1) ?? own
  const shown = order.reduce(
    (some, { is: rank, least }) => without(some, is(rank), least, isWithin('min')),
    chosen,
  )
  const names = shown.map(({ name }) => name)
  const dropped = columns.map(({ name }) => name).filter((name) => !names.includes(name))
  return { columns: shown, widths: fillLine(shown, limit), dropped, limit }
}

/** Where nothing is cut: each column as wide as usual, or as its cells need. */
export function wholeGroups(columns: readonly Column[], needed: readonly number[]): Layout {
  const widths = columns.map(({ width }, at) => Math.max(width, needed[at] ?? 0))
  return { columns, widths, dropped: [], limit: null }
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

/** The column with the widths that its cells need, with room for so many digits; for none texts have no room to spare either. */
function sized(column: Column, needed: number, digits: number): Column {
  const { heading, kind, align } = column
  const least = Math.max(heading.length, needed)
  const isRoomy = digits > 0
  if (isText(column)) {
    const width = isRoomy ? column.width : Math.min(column.width, least)
    const min = Math.min(width, Math.max(heading.length, column.min))
    return { ...column, width, min, max: Math.max(width, least) }
  }
  if (kind === 'time' || align === 'right') {
    const width = Math.max(least, Math.min(column.width, digits))
    return { ...column, width, min: width, max: width }
  }
  const width = isRoomy ? Math.max(least, column.width) : least
  const cut = Math.max(heading.length, narrowestCut[kind] ?? narrowestWord)
  return { ...column, width, min: Math.min(width, cut), max: width }
}
