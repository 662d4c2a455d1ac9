import type { ProbeSpec } from '../schema/define.ts'
import { optionsOf } from './parse.ts'
import type { RunOption } from './options.ts'

/** What a command may use of the outside. */
export interface Io {
  readonly env: NodeJS.ProcessEnv
  readonly columns: number
  readonly stderrIsTerminal: boolean
  stdout(text: string): void
  stderr(text: string): void
}

const commandLines: Readonly<Record<string, readonly [string, string]>> = {
  list: ['list', 'every probe with a line and an example'],
  describe: ['describe PROBE', 'what a probe does: fields, filters, variants and their cost'],
  plan: ['plan PROBE [options] [-o json]', 'how it would run on this host, and why so'],
  print: ['print PROBE [options]', 'the program that would run here'],
  schema: ['schema PROBE', 'the JSON Schema of its events'],
  replay: [
    'replay FILE [filters] [-o FORMAT] [--fields LIST] [--count N]',
    'the events of a recording that --record made',
  ],
  doctor: ['doctor [-o json]', 'what this host can do, and what to do about the rest'],
}

/** `ebpf-run COMMAND --help`. */
export function commandHelp(name: string): string {
  const [line, what] = commandLines[name] ?? [name, '']
  return `ebpf-run ${line}\n${what}\n`
}

/** `ebpf-run PROBE --help`: fields and options of one probe. */
export function probeHelp(probe: ProbeSpec, columns: number): string {
  const events = Object.entries(probe.events).flatMap(([name, event]) => [
    `${name}: ${event.doc}`,
    ...Object.entries(event.fields).map(([field, spec]) =>
      row(field, spec.unit === undefined ? spec.doc : `${spec.doc} (${spec.unit})`, columns),
    ),
  ])
  return [
    `ebpf-run ${probe.name} [options]`,
    `${probe.summary}`,
    '',
    `  ${probe.example}`,
    '',
    "Options (lists: 22,80; ranges: 8000-8100; negation: '!22'):",
    ...optionsOf(probe).map((option) => row(optionText(option), docText(option), columns)),
    '',
    'Fields:',
    ...events,
    '',
  ].join('\n')
}

function optionText(option: RunOption): string {
  const short = option.short === undefined ? '' : `-${option.short}, `
  return `${short}--${option.name}${option.metavar === undefined ? '' : ` ${option.metavar}`}`
}

function docText(option: RunOption): string {
  const choices = option.choices === undefined ? '' : `: ${option.choices.join(', ')}`
  return `${option.doc}${choices}${typeof option.default === 'string' ? ` (${option.default})` : ''}`
}

/** A term and its text, the text wrapped at the terminal's width. */
function row(term: string, text: string, columns: number): string {
  const indent = 26
  const width = Math.max(20, columns - indent)
  const lines = [...text.matchAll(new RegExp(`\\S.{0,${width - 1}}(?=\\s|$)`, 'g'))].map((match) =>
    match[0].trim(),
  )
  const head = `  ${term}`.padEnd(indent - 1)
  const [first = '', ...rest] = lines
  const start =
    head.length >= indent ? [head, `${' '.repeat(indent)}${first}`] : [`${head} ${first}`]
  return [...start, ...rest.map((line) => ' '.repeat(indent) + line)].join('\n')
}
