import type { Io } from './io.ts'

const shown = 5

/** Says on stderr what was asked for and is not done, with the reasons of the first few. */
export function tellLeftOut(what: string, leftOut: readonly string[], io: Io): void {
  if (leftOut.length === 0) return
  const more = leftOut.length > shown ? `; and ${leftOut.length - shown} more` : ''
  io.stderr(`${what}: ${leftOut.slice(0, shown).join('; ')}${more}\n`)
}
