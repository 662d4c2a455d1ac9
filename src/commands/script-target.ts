import { isUtf8 } from 'node:buffer'
import { basename } from 'node:path'
import { EbpfRunError } from '../errors.ts'
import { readBytes } from '../host/read.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { defineScript } from '../script/define.ts'
import { tokenize } from '../script/lexer.ts'
import { optionsOf, type RunOption } from './options.ts'

/** Of `script`, beside those of a run. */
const scriptOptions: readonly RunOption[] = [
  {
    name: 'unsafe',
    boolean: true,
    doc: 'let the script act on the machine: system(), signal(), override()',
    group: 'What to run:',
    live: true,
  },
]

/** What counts in the kernel or chooses between variants: the script itself decides that. */
const notOfScripts: ReadonlySet<string> = new Set([
  ...['summary', 'hist', 'linear', 'by', 'interval', 'sort', 'top'],
  ...['variant', 'backend', 'all'],
])

/** Of `script` without a file, or with the options that its script's probe has. */
export function optionsOfScript(ofRun: readonly RunOption[]): readonly RunOption[] {
  return [...scriptOptions, ...ofRun.filter(({ name }) => !notOfScripts.has(name))]
}

/** Larger than any script. */
const mostBytes = 1_048_576

export interface ScriptTarget {
  readonly probe: LoadedProbe
  readonly options: readonly RunOption[]
  /** Places whose output stays text. */
  readonly untyped: readonly string[]
  readonly rest: readonly string[]
}

/** The probe that a script is, with the words that follow `script`: FILE, its arguments, options. Throws BAD_SCRIPT, BAD_VALUE, UNSAFE_SCRIPT. */
export function scriptOf(words: readonly string[]): ScriptTarget {
  const [path = '', ...others] = words
  const end = others.findIndex((word) => /^-(?!\d)/.test(word))
  const args = end === -1 ? others : others.slice(0, end)
  const { names, rest } = takeNames(others.slice(args.length))
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
  const { probe, untyped } = defineScript({
    name: basename(path),
    source: sourceOf(path),
    args,
    fields: names,
    unsafe: own.includes('--unsafe'),
  })
  return { probe, options: optionsOfScript(optionsOf(probe.spec)), untyped, rest }
}

/** A script's text. Throws BAD_SCRIPT, BAD_VALUE. */
function sourceOf(path: string): string {
  const file = readBytes(path)
  if ('errno' in file)
    throw new EbpfRunError({
      code: 'BAD_SCRIPT',
      message: `${path} could not be read`,
      found: file.errno,
      remedy: 'ebpf-run script FILE.bt takes a script of bpftrace',
    })
  const text = Buffer.from(file.bytes).toString('utf8')
  if (file.bytes.length > mostBytes || text.includes('\0'))
    throw new EbpfRunError({
      code: 'BAD_SCRIPT',
      message: `${path} is no script of bpftrace`,
      found: text.includes('\0') ? 'a NUL character' : `${file.bytes.length} bytes`,
    })
  if (!isUtf8(file.bytes)) refuseOtherBytes(text)
  return text
}

/** Bytes outside UTF-8 would reach bpftrace as others; comments do not reach it. Throws BAD_SCRIPT, BAD_VALUE. */
function refuseOtherBytes(text: string): void {
  const token = tokenize(text).find(
    (each) => each.kind !== 'comment' && each.text.includes('\ufffd'),
  )
  if (token === undefined) return
  const [before = ''] = token.text.split('\ufffd')
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `line ${token.line + before.split('\n').length - 1}: bytes that are not UTF-8`,
    remedy: String.raw`write each as \xHH in a string, or convert the script: iconv -f LATIN1 -t UTF-8 FILE.bt`,
  })
}

/** Takes out each `--fields EVENT:NAME,NAME`; without a colon it selects fields, as everywhere. Throws BAD_VALUE. */
function takeNames(words: readonly string[]): {
  readonly names: ReadonlyMap<string, readonly string[]>
  readonly rest: readonly string[]
} {
  const names = new Map<string, readonly string[]>()
  const rest: string[] = []
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (word === '--') return { names, rest: [...rest, ...words.slice(at)] }
    const value = word === '--fields' ? words[at + 1] : /^--fields=([^]*)$/.exec(word)?.[1]
    const [, event, list] = /^([^:]*):([^]*)$/.exec(value ?? '') ?? []
    if (event === undefined || list === undefined) {
      rest.push(word)
      continue
    }
    names.set(event, list.split(',').map(fieldNamed))
    if (word === '--fields') at += 1
  }
  return { names, rest }
}

function fieldNamed(text: string): string {
  const name = text.trim()
  if (
    /^(?!(?:__proto__|constructor|event|escaped|cut|time|ktime_ns|cpu)$)[a-z_][a-z0-9_]{0,63}$/.test(
      name,
    )
  )
    return name
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: '--fields EVENT:NAME,NAME gives names to the values of a printf',
    expected: 'lower case letters, digits and _, none of time, ktime_ns, cpu, event',
    found: JSON.stringify(name),
  })
}
