import { selectFields } from '../schema/columns.ts'
import type { AnyEvent } from '../schema/define.ts'
import { eventsOfLines, pickFields } from './lines.ts'
import { safeJson } from './safe-text.ts'
import type { SinkFactory } from './sink.ts'

/** One JSON array, an event on each line inside; `[` LF `]` when there was none. */
export const jsonSink: SinkFactory = (out, options) => {
  const fields = selectFields(options.probe, options.fields)
  const shown = out.isTerminal ? safeJson : (json: string) => json
  let separator = '\n'

  const event = (event: AnyEvent) => {
    out.write(separator + shown(JSON.stringify(pickFields(event, fields))))
    separator = ',\n'
  }

  return {
    takesLines: false,
    begin: () => {
      out.write('[')
    },
    event,
    lines: (lines) => eventsOfLines(lines).forEach(event),
    end: () => {
      out.write('\n]\n')
    },
  }
}
