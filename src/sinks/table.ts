import { tableColumns } from '../schema/columns.ts'
import type { AnyEvent } from '../schema/define.ts'
import { cellText } from './cells.ts'
import {
  fitLayout,
  fixedLayout,
  isSameShape,
  type Layout,
  renderLine,
  roomNotes,
} from './layout.ts'
import { eventsOfLines } from './lines.ts'
import type { Out, SinkFactory } from './sink.ts'

/** Of a terminal that does not say, or says 0 as a fresh pty does. */
const usualWidth = 80

const bold = (text: string) => `\x1b[1m${text}\x1b[22m`

/**
 * A table, one line an event, written as events come. On a terminal it fits the width and prints the header again when a
 * resize changes the columns; elsewhere nothing is cut. Nothing that a traced process wrote reaches the terminal raw.
 */
export const tableSink: SinkFactory = (out, { probe, fields, header, utc, shown }) => {
  const columns = tableColumns(probe, fields, utc)
  const layoutNow = () =>
    out.isTerminal ? fitLayout(columns, terminalWidth(out)) : fixedLayout(columns)
  let layout = layoutNow()

  const writeHeader = () => {
    if (header) out.write(`${headerLine(out, layout, renderLine)}\n`)
  }

  const followResize = () => {
    if (!out.isTerminal || layout.limit === terminalWidth(out)) return
    const before = layout
    layout = layoutNow()
    if (!isSameShape(before, layout)) writeHeader()
  }

  const event = (event: AnyEvent) => {
    followResize()
    const named = shown?.(event) ?? event
    const cells = layout.columns.map((column) => cellText(named, column, utc))
    out.write(`${renderLine(layout, cells)}\n`)
  }

  return {
    takesLines: false,
    begin: writeHeader,
    event,
    lines: (lines) => eventsOfLines(lines).forEach(event),
    end: () => {},
    notes: () => roomNotes(layout),
  }
}

/** The headings of a table's columns. */
export function headerLine(out: Out, layout: Layout, render: typeof renderLine): string {
  const line = render(
    layout,
    layout.columns.map(({ heading }) => heading),
  )
  return out.isTerminal && out.color ? bold(line) : line
}

export function terminalWidth(out: Out): number {
  return out.columns() || usualWidth
}
