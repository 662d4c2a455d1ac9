import { definePrintk } from '../printk/define.ts'
import { parsePattern } from '../printk/pattern.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { optionsOf, type RunOption } from './options.ts'

/** Of `pipe`, beside those of a run. */
const patternOption: RunOption = {
  name: 'pattern',
  metavar: 'FORMAT',
  doc: "the messages' format: its values become fields. 'PID %{caller}d -> %s:%d' makes caller, value_2, value_3",
  group: 'What to read:',
  live: true,
}

/** What belongs to programs of ours: there is none. */
const withoutProgram: ReadonlySet<string> = new Set([
  ...['summary', 'hist', 'linear', 'by', 'interval', 'sort', 'top'],
  ...['variant', 'backend', 'as', 'all'],
])

/** The probe that `pipe` is with these words, and its options: the fields that a pattern makes bring their filters. Throws BAD_VALUE. */
export function pipeOf(words: readonly string[]): {
  readonly probe: LoadedProbe
  readonly options: readonly RunOption[]
} {
  const pattern = patternIn(words)
  const probe = definePrintk(pattern === null ? null : parsePattern(pattern))
  const ofRun = optionsOf(probe.spec).filter(({ name }) => !withoutProgram.has(name))
  return { probe, options: [patternOption, ...ofRun] }
}

/** The first `--pattern`; a second one is refused where all options are read. */
function patternIn(words: readonly string[]): string | null {
  const at = words.findIndex((word) => word === '--pattern' || word.startsWith('--pattern='))
  const word = words[at]
  if (word === undefined) return null
  return word === '--pattern' ? (words[at + 1] ?? null) : word.slice('--pattern='.length)
}
