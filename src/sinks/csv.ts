import { stringify, type Options } from 'csv-stringify/sync'
import { csvColumns, type CsvCell } from '../schema/csv.ts'
import type { AnyEvent } from '../schema/define.ts'
import { eventsOfLines } from './lines.ts'
import { safeText } from './safe-text.ts'
import type { SinkFactory } from './sink.ts'

/**
 * RFC 4180: CRLF ends a row, also where a cell holds line feeds of its own. A text that begins with = + - @ TAB or CR (or
 * the full-width forms) gets a `'` in front, or a spreadsheet would run it as a formula; numbers, -2 too and those of 64 bits, which
 * are texts here, stay as they are, and no other kind can begin so. Null is an empty cell, an empty text is `""`.
 */
const rfc4180: Options = {
  record_delimiter: '\r\n',
  escape_formulas: true,
  // By itself csv-stringify quotes what holds the whole CRLF, and readers of CSV end a row at each of its halves.
  quoted_match: /^$|[\r\n]/,
}

/** CSV with one row an event. On a terminal, characters it could act on are written out as in the table. */
export const csvSink: SinkFactory = (out, { probe, fields, header }) => {
  const columns = csvColumns(probe, fields)
  const shown = (cell: CsvCell) =>
    out.isTerminal && typeof cell === 'string' ? safeText(cell) : cell
  const write = (cells: readonly CsvCell[]) => out.write(csvRow(cells))

  const event = (event: AnyEvent) => {
    write(columns.map((column) => shown(column.cell(event))))
  }

  return {
    takesLines: false,
    begin: () => {
      if (header) write(columns.map((column) => column.header))
    },
    event,
    lines: (lines) => eventsOfLines(lines).forEach(event),
    end: () => {},
  }
}

/** Cells that need neither quotes nor an escape: with them a row is ten times as fast without csv-stringify. */
const simple = /^(?:[\w./:][\w./: -]*|-[1-9]\d*)$/

/** One row with its CRLF. */
export function csvRow(cells: readonly CsvCell[]): string {
  const isSimple = cells.every((cell) => typeof cell !== 'string' || simple.test(cell))
  return isSimple ? `${cells.join(',')}\r\n` : stringify([cells.map(numeric)], rfc4180)
}

/** A negative number is no formula, whatever it is kept as; a text that is one is shown as one. */
function numeric(cell: CsvCell): CsvCell | bigint {
  return typeof cell === 'string' && /^-[1-9]\d*$/.test(cell) ? BigInt(cell) : cell
}
