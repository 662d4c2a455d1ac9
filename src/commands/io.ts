/** What a command may use of the outside. */
export interface Io {
  readonly env: NodeJS.ProcessEnv
  readonly columns: number
  readonly stderrIsTerminal: boolean
  stdout(text: string): void
  stderr(text: string): void
}
