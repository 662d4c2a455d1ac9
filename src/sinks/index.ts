import { csvSink } from './csv.ts'
import { jsonSink } from './json.ts'
import { ndjsonSink } from './ndjson.ts'
import type { SinkFactory } from './sink.ts'
import { tableSink } from './table.ts'

/** Every output format, by the name that -o takes. */
export const sinks = {
  table: tableSink,
  ndjson: ndjsonSink,
  json: jsonSink,
  csv: csvSink,
} as const satisfies Record<string, SinkFactory>

export type SinkName = keyof typeof sinks
