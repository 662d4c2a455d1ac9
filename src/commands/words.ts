import { EbpfRunError } from '../errors.ts'
import type { RunOption } from './options.ts'
import type { Target } from './target.ts'
import { unknownOption } from './unknown-option.ts'

/** The options that may be typed, and whose they are. */
type Typeable = Pick<Target, 'options' | 'probe'>

/** A command line in a form that leaves yargs nothing to guess. */
interface Shielded {
  /** `--name`, `--name=` and a shielded value, or a shielded positional. */
  readonly words: readonly string[]
  /** The words after `--` as they are; null without one. */
  readonly command: readonly string[] | null
  readonly help: boolean
}

/**
 * Stands before every value and positional that yargs sees. So no value is quoted, looks like a number, is empty, or begins
 * with a dash: yargs 18 would strip, convert or misread it.
 */
const mark = '='

export function shield(word: string): string {
  return mark + word
}

export function unshield(word: string): string {
  return word.slice(mark.length)
}

/** Writes every option in its long form with its value in the same word. Throws UNKNOWN_OPTION, USAGE. */
export function shieldWords(words: readonly string[], target: Typeable): Shielded {
  const { options } = target
  const end = words.indexOf('--')
  const own = end === -1 ? words : words.slice(0, end)
  const shielded: string[] = []
  let help = false
  let at = 0
  /** Takes an option; `attached` is the value in the same word. */
  const take = (typed: string, option: RunOption | undefined, attached: string | undefined) => {
    if (option === helpOption) help = true
    else if (option === undefined) throw unknownOption(typed, target)
    else if (option.boolean) {
      if (attached !== undefined) throw noValueTaken(typed, attached)
      shielded.push(`--${option.name}`)
    } else {
      const value = attached ?? separateValue(typed, option, own[at++])
      shielded.push(`--${option.name}=${shield(value)}`)
    }
  }
  while (at < own.length) {
    const word = own[at++] ?? ''
    const [, name, value] = /^--([^=]+)(?:=([^]*))?$/.exec(word) ?? []
    if (name !== undefined) take(`--${name}`, byName(name, options), value)
    else if (/^-./.test(word)) takeShorts(word, options, take)
    else shielded.push(shield(word))
  }
  return { words: shielded, command: end === -1 ? null : words.slice(end + 1), help }
}

/**
 * The words that are neither options nor their values, and the rest as it stands. What follows `--` is a command's. Throws
 * UNKNOWN_OPTION: what is not known may have a value, which is no word of its own.
 */
export function positionals(
  words: readonly string[],
  target: Typeable,
): { readonly found: readonly string[]; readonly rest: readonly string[] } {
  const { options } = target
  const end = words.indexOf('--')
  const own = end === -1 ? words : words.slice(0, end)
  const found: string[] = []
  const rest: string[] = []
  let wantsValue = false
  const take = (typed: string, option: RunOption | undefined, attached: string | undefined) => {
    if (option === undefined) throw unknownOption(typed, target)
    wantsValue = option.boolean !== true && attached === undefined
  }
  for (const word of own) {
    const isValue = wantsValue
    wantsValue = false
    if (!isValue && !/^-./.test(word)) {
      found.push(word)
      continue
    }
    rest.push(word)
    if (isValue) continue
    const [, name, value] = /^--([^=]+)(?:=([^]*))?$/.exec(word) ?? []
    if (name !== undefined) take(`--${name}`, byName(name, options), value)
    else takeShorts(word, options, take)
  }
  return { found, rest: [...rest, ...(end === -1 ? [] : words.slice(end))] }
}

/** `-qv`, `-ojson`, `-o=json`, `-o json`. */
function takeShorts(
  word: string,
  options: readonly RunOption[],
  take: (typed: string, option: RunOption | undefined, attached: string | undefined) => void,
): void {
  const letters = [...word.slice(1)]
  for (const [index, letter] of letters.entries()) {
    const option = byShort(letter, options)
    const rest = letters.slice(index + 1).join('')
    const hasValue = option !== undefined && !option.boolean
    take(`-${letter}`, option, hasValue && rest !== '' ? rest.replace(/^=/, '') : undefined)
    if (hasValue) return
  }
}

/** Every command has it. */
export const helpOption: RunOption = { name: 'help', short: 'h', boolean: true, doc: 'show this' }

function byName(name: string, options: readonly RunOption[]): RunOption | undefined {
  return [helpOption, ...options].find((option) => option.name === name)
}

function byShort(letter: string, options: readonly RunOption[]): RunOption | undefined {
  return [helpOption, ...options].find((option) => option.short === letter)
}

function separateValue(typed: string, option: RunOption, value: string | undefined): string {
  if (value !== undefined && !/^-./.test(value)) return value
  const usual = `--${option.name} ${option.metavar ?? 'VALUE'}`
  throw new EbpfRunError({
    code: 'USAGE',
    message: `${typed} needs a value`,
    ...(value === undefined ? {} : { found: value }),
    remedy: value === undefined ? usual : `${usual}, or --${option.name}=${value} if that is it`,
  })
}

function noValueTaken(typed: string, found: string): EbpfRunError {
  return new EbpfRunError({
    code: 'USAGE',
    message: `${typed} takes no value`,
    found,
    remedy: `${typed}, or leave it out`,
  })
}
