/** What a command may use of the outside. */
export interface Io {
  readonly env: NodeJS.ProcessEnv
  /** Of the terminal; 80 where there is none, or one that does not say. */
  readonly columns: number
  readonly stdoutIsTerminal: boolean
  readonly stderrIsTerminal: boolean
  stdout(text: string): void
  stderr(text: string): void
}
