import { selectFields } from '../schema/columns.ts'
import { eventsOfLines, pickFields } from './lines.ts'
import { safeJson } from './safe-text.ts'
import type { SinkFactory } from './sink.ts'

/**
 * One JSON object a line, the stable contract. Takes the decoder's lines as they are, unless --fields asks for less.
 * On a terminal, characters it could act on are written as JSON escapes: the same values, nothing raw.
 */
export const ndjsonSink: SinkFactory = (out, options) => {
  const fields = selectFields(options.probe, options.fields)
  const shown = out.isTerminal ? safeJson : (json: string) => json
  const write = (json: string) => out.write(shown(json))
  return {
    takesLines: fields === null,
    begin: () => {},
    event: (event) => write(`${JSON.stringify(pickFields(event, fields))}\n`),
    lines: (lines) => {
      if (fields !== null) {
        for (const event of eventsOfLines(lines)) {
          write(`${JSON.stringify(pickFields(event, fields))}\n`)
        }
      } else if (out.isTerminal) write(lines.toString('utf8'))
      else out.write(lines)
    },
    end: () => {},
  }
}
