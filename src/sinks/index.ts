import { csvSink } from './csv.ts'
import { jsonSink } from './json.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { ndjsonSink } from './ndjson.ts'
import { scriptSink } from './script.ts'
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

/** The sink for a probe's events: those of a script have no columns in common. */
export function sinkOf(name: SinkName, { script }: ProbeSpec): SinkFactory {
  return name === 'table' && script !== undefined ? scriptSink : sinks[name]
}
