import { tableColumns } from '../schema/columns.ts'
import type { AnyEvent } from '../schema/define.ts'
import type { Ranks } from '../schema/summary.ts'
import { cellText } from './cells.ts'
import { fitGroups, wholeGroups } from './group-layout.ts'
import { isSameShape, type Layout, renderAligned, roomNotes } from './layout.ts'
import { displayWidth } from './safe-text.ts'
import type { SinkFactory } from './sink.ts'
import { headerLine, terminalWidth } from './table.ts'

interface GroupTableOptions {
  readonly ranks: Ranks
  /** Each interval takes the place of the one before, on a terminal that can do that. */
  readonly redraws: boolean
}

/** The groups of a summary, laid out an interval at a time, by what they hold. Where there is no terminal nothing is cut. */
export function groupTable({ ranks, redraws }: GroupTableOptions): SinkFactory {
  return (out, options) => {
    const { probe, fields, header, utc, shown: named } = options
    const height = () => (redraws ? out.rows() : null)
    // All rows of a live table are of one time.
    const columns = tableColumns(probe, fields, utc).filter(
      ({ name }) => fields !== null || name !== 'time' || height() === null,
    )
    // Of all intervals so far, so that columns do not come and go with what happens in one.
    let needed: readonly number[] = []
    const laidOut = (events: readonly AnyEvent[]) => {
      const cells = events.map((event) =>
        columns.map((column) => cellText(named?.(event) ?? event, column, utc)),
      )
      needed = columns.map((_, at) =>
        Math.max(needed[at] ?? 0, ...cells.map((row) => displayWidth(row[at] ?? ''))),
      )
      const layout = out.isTerminal
        ? fitGroups(columns, ranks, needed, terminalWidth(out))
        : wholeGroups(columns, needed)
      return { layout, lines: cells.map((row) => lineOf(layout, row)) }
    }
    const lineOf = (layout: Layout, row: readonly string[]) =>
      renderAligned(
        layout,
        layout.columns.map(
          ({ name }) => row[columns.findIndex((column) => column.name === name)] ?? '',
        ),
      )

    let came: AnyEvent[] = []
    let last: Layout | null = null
    const append = (): void => {
      const { layout, lines } = laidOut(came)
      const isNew = last === null || (out.isTerminal && !isSameShape(last, layout))
      write([...(header && isNew ? [headerLine(out, layout, renderAligned)] : []), ...lines])
      last = layout
    }

    let shown: readonly AnyEvent[] = []
    let drawn = { lines: 0, width: 0 }
    const redraw = (rows: number, isEnding: boolean): void => {
      if (isEnding && isScrap(came[0], shown[0])) return
      // What waited for its text comes behind the others of its interval.
      const isMore = came.length > 0 && came[0]?.['ktime_ns'] === shown[0]?.['ktime_ns']
      shown = isMore ? [...shown, ...came] : came
      const width = terminalWidth(out)
      // A line is for the status line, where the cursor stays.
      const room = Math.max(1, rows - 1 - (header ? 1 : 0))
      const { layout, lines } = laidOut(shown.slice(0, room))
      const all = [...(header ? [headerLine(out, layout, renderAligned)] : []), ...lines]
      // Lines of another width may be wrapped by now, or not: nobody knows how many they are, and what stands above is not ours.
      const up = drawn.width === width ? Math.min(drawn.lines, rows - 1) : 0
      write(all, up === 0 ? '' : `\x1b[${up}A\r\x1b[J`)
      drawn = { lines: all.length, width }
      last = layout
    }

    const write = (lines: readonly string[], before = ''): void => {
      const text = lines.map((line) => `${line}\n`).join('')
      if (before !== '' || text !== '') out.write(`${before}${text}`)
    }
    const batch = (isEnding: boolean): void => {
      const rows = height()
      if (rows !== null) redraw(rows, isEnding)
      else if (came.length > 0) append()
      came = []
    }
    return {
      takesLines: false,
      begin: () => {},
      event: (event) => void came.push(event),
      lines: () => {},
      batch,
      end() {
        if (came.length > 0 || last === null) batch(true)
        if (last === null) append()
      },
      notes: () => (last === null ? [] : roomNotes(last)),
    }
  }
}

/** The run ended soon after an interval: what is left of it says less than the table that stands there. */
function isScrap(now: AnyEvent | undefined, before: AnyEvent | undefined): boolean {
  return Number(now?.['interval_ns']) * 2 < Number(before?.['interval_ns'])
}
