import type { CommandSpec } from './commands.ts'
import type { Io } from './io.ts'
import type { RunOption } from './options.ts'

/** What a command line says, before its values are looked at. */
export interface Parsed {
  /** Values of each option that was given, in the order in which they were. */
  readonly texts: Readonly<Record<string, readonly string[]>>
  /** The options without a value that were given. */
  readonly flags: Readonly<Record<string, boolean>>
  /** The words after `--`. */
  readonly command: readonly string[] | null
  readonly help: boolean
}

/** The command that a command line names, with its PROBE or FILE taken in: what is left to read are options. */
export interface Target {
  readonly name: string
  /** As it was typed so far: `plan tcpconnect`. */
  readonly title: string
  readonly usage: string
  readonly doc: string
  /** What the help says below the options. */
  readonly epilogue: string
  readonly options: readonly RunOption[]
  /** The probe whose options these are; null where they are a command's own. */
  readonly probe: string | null
  /** `-- COMMAND` may follow. */
  readonly takesCommand: boolean
  run(parsed: Parsed, io: Io): Promise<number>
}

/** What a target has of its command. */
export function baseOf(spec: CommandSpec) {
  const { name, usage, doc, takesCommand } = spec
  return { name, title: name, usage, doc, takesCommand, epilogue: '', probe: null } as const
}
