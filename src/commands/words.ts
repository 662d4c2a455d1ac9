import { nearest } from '../catalog/nearest.ts'
import { EbpfRunError } from '../errors.ts'
import type { RunOption } from './options.ts'

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
export function shieldWords(words: readonly string[], options: readonly RunOption[]): Shielded {
  const end = words.indexOf('--')
  const own = end === -1 ? words : words.slice(0, end)
  const shielded: string[] = []
  let help = false
  let at = 0
  /** Takes an option; `attached` is the value in the same word. */
  const take = (typed: string, option: RunOption | undefined, attached: string | undefined) => {
    if (option === helpOption) help = true
    else if (option === undefined) throw unknownOption(typed, options)
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
  options: readonly RunOption[],
): { readonly found: readonly string[]; readonly rest: readonly string[] } {
  const end = words.indexOf('--')
  const own = end === -1 ? words : words.slice(0, end)
  const found: string[] = []
  const rest: string[] = []
  let wantsValue = false
  const take = (typed: string, option: RunOption | undefined, attached: string | undefined) => {
    if (option === undefined) throw unknownOption(typed, options)
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

/** What to type here, and by which option the probe is known that it is said of; without one, by the option that it names. */
type Hint = string | { readonly has: string; readonly say: string }

/**
 * What users of bcc's tools may type, and what to type here: the first of these that the probe has, since their options mean
 * different things in each tool.
 */
const bccHints: Readonly<Record<string, readonly Hint[]>> = {
  P: ['--rport 443', '--summary --by pid,comm'],
  p: ['--pid 1234'],
  u: ['--uid 1000'],
  U: ['the uid field: -o ndjson, or --fields time,uid,comm'],
  t: ['the time field, which is always there'],
  T: ['the time field, which is always there'],
  x: ['--failed'],
  c: ['--count N, or -o ndjson | jq'],
  L: ['--lport 22', '--threads 1', '--summary, which has how long it took', '--tid 1234'],
  D: ['--rport 443'],
  Q: ['--queued 1'],
  4: ['--family 4'],
  6: ['--family 6'],
  e: [
    { has: 'dev', say: '--summary, which has sums and averages' },
    { has: 'filename', say: 'the flags field, which is always there: -o ndjson, or --fields' },
    '--errno ENOENT',
    '--summary, which has sums and averages',
  ],
  f: ['--flags O_CREAT'],
  F: [
    { has: 'dev', say: '--summary --by rwbs' },
    { has: 'filename', say: 'the name as the program gave it; /proc/PID/cwd is where it starts' },
    '--cgroup PATH',
    '--netns NS',
  ],
  N: ['--netns INODE'],
  s: ['--signal TERM'],
  cgroupmap: ['--cgroup PATH'],
  mntnsmap: ['--mntns /proc/PID/ns/mnt'],
  pidnss: ['--pidns /proc/PID/ns/pid'],
  'netns-id': ['--netns INODE'],
  'pid-netns': ['--netns /proc/PID/ns/net'],
  'per-thread': ['--threads 1'],
  milliseconds: ['--linear 0..100ms/1ms, or the times as they are: each has its unit'],
}

/** The first hint for an option that this command has; one that names no option first fits any. */
function hintFor(name: string, options: readonly RunOption[]): string | null {
  const hints = Object.hasOwn(bccHints, name) ? (bccHints[name] ?? []) : []
  const fits = (hint: Hint): boolean => {
    const needed = typeof hint === 'string' ? /--([a-z-]+)/.exec(hint)?.[1] : hint.has
    return needed === undefined || options.some((option) => option.name === needed)
  }
  const found = hints.find(fits) ?? null
  return typeof found === 'string' ? found : (found?.say ?? null)
}

function unknownOption(typed: string, options: readonly RunOption[]): EbpfRunError {
  const name = typed.replace(/^--?/, '')
  const hint = hintFor(name, options)
  const close = nearest(
    name,
    options.flatMap((option) => (option.hidden ? [] : [option.name])),
  )
  return new EbpfRunError({
    code: 'UNKNOWN_OPTION',
    message: `there is no option ${typed}`,
    remedy:
      hint !== null && options.some((option) => option.name === 'duration')
        ? `use ${hint}`
        : close !== null
          ? `did you mean --${close}?`
          : '--help shows all options',
  })
}
