import { builtin } from '../../probes/index.ts'
import type { RunOption } from './options.ts'

/** A word that may come first, as data. */
export interface CommandSpec {
  readonly name: string
  readonly aliases: readonly string[]
  readonly usage: string
  readonly doc: string
  /** The word that follows: a probe's name, or a recording. */
  readonly takes: 'PROBE' | 'FILE' | null
  /** Its own, or those of its probe. */
  readonly options: readonly RunOption[] | 'probe'
  /** `-- COMMAND` may follow. */
  readonly takesCommand: boolean
}

const plain = { aliases: [], takes: null, options: [], takesCommand: false } as const
const ofProbe = { ...plain, takes: 'PROBE' } as const
const withOptions = { ...ofProbe, options: 'probe', takesCommand: true } as const

const own: readonly CommandSpec[] = [
  { ...plain, name: 'list', usage: 'list', doc: 'every probe with a line and an example' },
  {
    ...ofProbe,
    name: 'describe',
    usage: 'describe PROBE',
    doc: 'what a probe does: fields, filters, variants and their cost',
  },
  {
    ...withOptions,
    name: 'plan',
    usage: 'plan PROBE [options] [-o json]',
    doc: 'how it would run on this host, and why so',
  },
  {
    ...withOptions,
    name: 'print',
    usage: 'print PROBE [options]',
    doc: 'the program that would run here',
  },
  { ...ofProbe, name: 'schema', usage: 'schema PROBE', doc: 'the JSON Schema of its events' },
  {
    ...plain,
    takes: 'FILE',
    options: 'probe',
    name: 'replay',
    usage: 'replay FILE [options]',
    doc: 'the events of a recording that --record made',
  },
  {
    ...plain,
    name: 'doctor',
    usage: 'doctor [-o json]',
    doc: 'what this host can do, and what to do about the rest',
    options: [
      {
        name: 'output',
        short: 'o',
        metavar: 'FORMAT',
        choices: ['table', 'json'],
        default: 'table',
        doc: 'output format',
        group: 'Options:',
      },
    ],
  },
  {
    ...plain,
    name: 'completion',
    usage: 'completion',
    doc: 'what completes probes, commands and options in the shell that SHELL names: bash, zsh, fish',
  },
]

const probes: readonly CommandSpec[] = Object.entries(builtin).map(
  ([name, { aliases, summary }]) => ({
    name,
    aliases,
    usage: `${name} [options]`,
    doc: summary,
    takes: null,
    options: 'probe',
    takesCommand: true,
  }),
)

/** Every word that may come first: our own commands, and each probe. */
export const commands: readonly CommandSpec[] = [...own, ...probes]

/** The names of our own. */
export const ownNames: readonly string[] = own.map(({ name }) => name)

/** The command that a word names. */
export function commandNamed(word: string): CommandSpec | null {
  return commands.find(({ name, aliases }) => name === word || aliases.includes(word)) ?? null
}
