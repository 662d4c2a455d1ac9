import type { RunOption } from './options.ts'
import type { Parsed } from './target.ts'

/**
 * Reads words that are nothing but `--NAME VALUE`, without yargs, whose loading takes longer than many an answer (measured: 1.7
 * times the start of node itself). Null for all else, which yargs reads.
 */
export function plainWords(words: readonly string[], options: readonly RunOption[]): Parsed | null {
  const texts: Record<string, string[]> = {}
  for (let at = 0; at < words.length; at += 2) {
    const name = /^--([a-z][a-z-]*)$/.exec(words[at] ?? '')?.[1]
    const option = options.find((each) => each.name === name)
    const value = words[at + 1]
    if (option === undefined || option.boolean === true || value === undefined) return null
    if (value === '' || value.startsWith('-')) return null
    texts[option.name] = [...(texts[option.name] ?? []), value]
  }
  return { texts, flags: {}, command: null, help: false }
}
