import type { AttachPointList } from './attach-point-cache.ts'
import { no, unknown, yes } from './fact.ts'
import type { Fact } from './facts.ts'
import { parseBlacklist } from './blacklist.ts'
import type { Reading } from './read.ts'

/** What tells whether one function can be hooked. */
export interface HookableSources {
  readonly list: AttachPointList
  /** Text of /proc/kallsyms; read only for a name that the list lacks. */
  readonly symbols: () => Reading
  /** /sys/kernel/debug/kprobes/blacklist */
  readonly blacklist: Reading
  /** What the kernel was built with; read only for a function that is not traceable. */
  readonly config: () => Reading
  /** Whether the kernel has kprobes at all, and fentry. */
  readonly kprobes: Fact
  readonly fentry: Fact
  /** Whether BTF describes the function; null: no BTF. */
  readonly inBtf: boolean | null
}

/** One thing that was looked at: `yes` speaks for a hook. */
export interface Finding {
  readonly about:
    | 'symbol'
    | 'module'
    | 'unique'
    | 'traceable'
    | 'kprobe without trace'
    | 'not blacklisted'
    | 'kprobes'
  readonly fact: Fact
}

/** Whether a function can be hooked here, by whatever way, and what was found. */
export interface Hookable {
  readonly hookable: Fact
  readonly findings: readonly Finding[]
  /** Functions that the compiler made of it, each of which can be looked up by its own name. */
  readonly parts: readonly { readonly name: string; readonly hookable: Fact }[]
}

/** Judges one function. */
export function judgeHookable(
  { name, module }: { readonly name: string; readonly module: string | null },
  sources: HookableSources,
): Hookable {
  const { list, kprobes, fentry, inBtf } = sources
  const listed = placesOf(list, name)
  const symbols = listed.length === 0 ? sources.symbols() : null
  const places = listed.length > 0 || symbols === null ? listed : symbolPlaces(symbols, name)
  const symbol = judgeSymbol(name, places, symbols, sources)
  const parts = partsOf(name, list, symbols)
  if (symbol.is !== 'yes')
    return { hookable: symbol, findings: [{ about: 'symbol', fact: symbol }], parts }
  const traceable = judgeTraceable(name, listed, list.gaps.kprobe)
  const allowed = judgeAllowed(name, sources.blacklist)
  const unique = judgeUnique(name, list)
  const byKprobe =
    traceable.is === 'no' ? traceableByKprobe(traceable, sources.config()) : yes(traceable.evidence)
  const findings: readonly Finding[] = [
    { about: 'symbol', fact: symbol },
    ...(module === null ? [] : [{ about: 'module' as const, fact: judgeModule(module, places) }]),
    { about: 'unique', fact: unique },
    { about: 'traceable', fact: traceable },
    ...(traceable.is === 'no' ? [{ about: 'kprobe without trace' as const, fact: byKprobe }] : []),
    ...(kprobes.is === 'no' ? [] : [{ about: 'not blacklisted' as const, fact: allowed }]),
    { about: 'kprobes', fact: kprobes },
  ]
  const btf = judgeBtf(inBtf, places)
  const inModule = module === null ? [] : [judgeModule(module, places)]
  const hookable = either(
    allOf([...inModule, fentry, btf, traceable]),
    allOf([...inModule, kprobes, allowed, unique, byKprobe]),
  )
  return { hookable, findings, parts }
}

/** What keeps one way of attaching from a function that its mechanism would allow; null for nothing. */
export function obstacleOf(way: 'fentry' | 'kprobe', { findings }: Hookable): Fact | null {
  const about: readonly Finding['about'][] =
    way === 'fentry'
      ? ['symbol', 'module', 'traceable']
      : ['symbol', 'module', 'kprobe without trace', 'not blacklisted', 'unique']
  const against = findings.find(
    (finding) => about.includes(finding.about) && finding.fact.is === 'no',
  )
  return against?.fact ?? null
}

/** Where the list has kprobes of that name: `null` for the kernel itself, else a module. */
function placesOf(list: AttachPointList, name: string): readonly (string | null)[] {
  const line = new RegExp(`^kprobe:(?:(\\w+):)?${escaped(name)}$`, 'gm')
  return [...list.textFrom('kprobe', name).matchAll(line)].map(([, module]) => module ?? null)
}

/** `ffffffff82022ff0 T tcp_connect`, and a tab and `[module]` (kernel/kallsyms.c, s_show). */
function symbolPlaces(symbols: Reading, name: string): readonly (string | null)[] {
  if ('errno' in symbols) return []
  const line = new RegExp(`^[0-9a-f]+ [tTwW] ${escaped(name)}(?:\t\\[(\\w+)\\])?$`, 'gm')
  return [...symbols.text.matchAll(line)].map(([, module]) => module ?? null)
}

const escaped = (name: string): string => name.replaceAll('.', '\\.')

function judgeSymbol(
  name: string,
  places: readonly (string | null)[],
  symbols: Reading | null,
  { inBtf }: HookableSources,
): Fact {
  const [place] = places
  if (place !== undefined)
    return yes(`the symbol table has ${name}${place === null ? '' : ` in the module ${place}`}`)
  if (symbols !== null && 'errno' in symbols) return unknown(`/proc/kallsyms: ${symbols.errno}`)
  const typed = inBtf === true ? '; BTF still has how it is declared' : ''
  return no(
    `/proc/kallsyms has no ${name}: it is inlined everywhere, of a module that is not loaded, or of another kernel${typed}`,
  )
}

function judgeBtf(inBtf: boolean | null, places: readonly (string | null)[]): Fact {
  if (inBtf === true) return yes('BTF has it')
  return places.includes(null)
    ? no('BTF has no such function, so no fentry')
    : unknown('BTF of modules was not looked at')
}

function judgeModule(module: string, places: readonly (string | null)[]): Fact {
  return places.includes(module)
    ? yes(`the module ${module} is loaded and has it`)
    : no(
        `the module ${module} is not loaded, or has no such function; ${places[0] === null ? 'the kernel itself' : places.join(', ')} has`,
      )
}

function judgeUnique(name: string, { repeated }: AttachPointList): Fact {
  return repeated.includes(` ${name} `)
    ? unknown(
        `several functions are named ${name}: a kprobe gets one of them, or is refused (newer kernels)`,
      )
    : yes('no other function has this name')
}

function judgeTraceable(
  name: string,
  listed: readonly (string | null)[],
  gap: string | undefined,
): Fact {
  if (gap !== undefined) return unknown(gap.replace(/; shown are.*/s, ''))
  return listed.length > 0
    ? yes('available_filter_functions has it')
    : no(`notrace: the symbol table has ${name}, available_filter_functions has not, so no fentry`)
}

/**
 * within_notrace_func in kernel/trace/trace_kprobe.c: refused too, but for a kernel that was built to allow it. It refuses as well what
 * ran once at the start and is gone (__init), which is in no list either.
 */
function traceableByKprobe(traceable: Fact, config: Reading): Fact {
  if ('errno' in config)
    return unknown(
      `${traceable.evidence}; a kprobe only where the kernel was built with ${onNotrace}, and its configuration could not be read`,
    )
  return config.text.includes(`${onNotrace}=y`)
    ? yes(`${traceable.evidence}; a kprobe all the same: the kernel was built with ${onNotrace}`)
    : no(`${traceable.evidence}, and no kprobe: the kernel was built without ${onNotrace}`)
}

const onNotrace = 'CONFIG_KPROBE_EVENTS_ON_NOTRACE'

function judgeAllowed(name: string, blacklist: Reading): Fact {
  const file = '/sys/kernel/debug/kprobes/blacklist'
  if ('errno' in blacklist) return unknown(`${file}: ${blacklist.errno}`)
  return parseBlacklist(blacklist.text).has(name)
    ? no(`${file} has ${name}: no kprobe`)
    : yes(`${file} has it not`)
}

/** NAME.isra.0, NAME.constprop.0, NAME.part.0, NAME.cold; a part that is not traceable cannot be hooked by fentry. */
function partsOf(name: string, list: AttachPointList, symbols: Reading | null): Hookable['parts'] {
  const made = `${escaped(name)}\\.(?:isra|constprop|part|cold|llvm)[\\w.]*`
  const line = new RegExp(`^kprobe:(?:\\w+:)?(${made})$`, 'gm')
  const listed = [...list.textFrom('kprobe', `${name}.`).matchAll(line)].map(
    ([, part = '']) => part,
  )
  const seen =
    symbols === null || 'errno' in symbols
      ? []
      : [...symbols.text.matchAll(new RegExp(`^[0-9a-f]+ [tTwW] (${made})(?:\t|$)`, 'gm'))]
  const hooked = new Set(listed)
  return [...new Set([...hooked, ...seen.map(([, part = '']) => part)])].map((part) => ({
    name: part,
    hookable:
      list.gaps.kprobe !== undefined
        ? unknown('available_filter_functions could not be read')
        : hooked.has(part)
          ? yes('available_filter_functions has it')
          : no('available_filter_functions has it not'),
  }))
}

/** The first that is not yes decides; `no` before `unknown`. */
function allOf(facts: readonly Fact[]): Fact {
  return (
    facts.find(({ is }) => is === 'no') ??
    facts.find(({ is }) => is === 'unknown') ??
    yes(facts.at(-1)?.evidence ?? '')
  )
}

/** Yes when one way is; no when both are none, with both reasons. */
function either(fentry: Fact, kprobe: Fact): Fact {
  if (fentry.is === 'yes') return yes('by fentry')
  if (kprobe.is === 'yes') return yes('by kprobe')
  const evidence = `fentry: ${fentry.evidence}; kprobe: ${kprobe.evidence}`
  return fentry.is === 'no' && kprobe.is === 'no' ? no(evidence) : unknown(evidence)
}
