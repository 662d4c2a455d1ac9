import { parseBlacklist } from './blacklist.ts'
import { no, unknown, yes } from './fact.ts'
import type { BtfFindings } from './btf.ts'
import type { Fact } from './facts.ts'
import type { Read, Reading } from './read.ts'

/** Bytes of /proc/kallsyms, or why not. */
type Symbols = { readonly bytes: Buffer } | { readonly errno: string }

/** What to look for in BTF to tell how the kernel was built. */
export const mechanismQuestions = {
  functions: ['bpf_trampoline_link_prog', 'register_ftrace_direct'],
  // 5.10: kernel/trace is not traceable and so not among BTF's functions, but this struct is there, which
  // kernel/trace/ftrace.c defines under CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS only (up to 6.2).
  members: ['ftrace_direct_func.addr'],
} as const

type Mechanics = Pick<BtfFindings, 'functions' | 'members'>

/** What the mechanism facts are judged from. */
export interface Mechanisms {
  readonly btf: Fact
  readonly lockdown: Fact
  /** What BTF said to the mechanism questions; null when there is no BTF. */
  readonly types: Mechanics | null
  /** Opening available_filter_functions: `readable`, `absent`, else the error; null: no tracefs to look in. */
  readonly filterFunctions: string | null
  /** Whether tracefs has kprobe_events; null: no tracefs to look in. */
  readonly kprobeEvents: boolean | null
}

const kprobeDevice = '/sys/bus/event_source/devices/kprobe'

/**
 * Whether kprobes can be attached. The perf device is there since 4.17 when CONFIG_KPROBE_EVENTS is
 * (perf_tp_register in kernel/events/core.c); tracefs has kprobe_events for the same reason.
 */
export function judgeKprobes(read: Read, { lockdown, kprobeEvents }: Mechanisms): Fact {
  if (lockdown.is === 'yes') return no(`kernel lockdown refuses kprobes; ${lockdown.evidence}`)
  const switchFile = read('/sys/kernel/debug/kprobes/enabled')
  if ('text' in switchFile && switchFile.text.trim() === '0')
    return no('/sys/kernel/debug/kprobes/enabled: 0')
  const device = read(`${kprobeDevice}/type`)
  if ('text' in device) return yes(`${kprobeDevice} is there`)
  if (kprobeEvents === true) return yes('tracefs has kprobe_events')
  const evidence = `${kprobeDevice}: ${device.errno}${kprobeEvents === false ? '; tracefs has no kprobe_events' : ''}`
  const isSysfsThere = 'text' in read('/sys/bus/event_source/devices/software/type')
  return isSysfsThere ? no(evidence) : unknown(evidence)
}

/**
 * Whether fentry and fexit programs can be attached: BTF, BPF trampolines, and ftrace direct calls, which put them
 * into functions (register_fentry in kernel/bpf/trampoline.c; CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS), all compiled
 * in and not refused: a kernel can have them and refuse the list of functions and every tracing program with EPERM
 * (one 6.18 of ours).
 */
export function judgeFentry(read: Read, mechanisms: Mechanisms): Fact {
  const { btf, lockdown, types, filterFunctions } = mechanisms
  if (types === null) return btf.is === 'no' ? no(`no BTF; ${btf.evidence}`) : unknown(btf.evidence)
  if (lockdown.is === 'yes') return no(`kernel lockdown; ${lockdown.evidence}`)
  const lacking = lackingParts(types)
  if (lacking !== null) return no(`built without ${lacking}`)
  const enabled = read('/proc/sys/kernel/ftrace_enabled')
  if ('text' in enabled && enabled.text.trim() === '0')
    return no('/proc/sys/kernel/ftrace_enabled: 0')
  const built = 'BTF shows BPF trampolines and ftrace direct calls'
  if (filterFunctions === 'readable') return yes(`${built}; available_filter_functions opens`)
  if (filterFunctions === null)
    return unknown(`${built}; available_filter_functions could not be seen`)
  return no(`${built}, but available_filter_functions: ${filterFunctions}`)
}

function lackingParts({ functions, members }: Mechanics): string | null {
  if (functions['bpf_trampoline_link_prog'] !== true)
    return 'BPF trampolines (BTF has no bpf_trampoline_link_prog)'
  const hasDirectCalls =
    functions['register_ftrace_direct'] === true || Boolean(members['ftrace_direct_func.addr'])
  return hasDirectCalls ? null : 'ftrace direct calls (BTF has no register_ftrace_direct)'
}

/** The parts that tell whether one function can be hooked. */
export interface FunctionSources {
  readonly types: BtfFindings | null
  /** /proc/kallsyms; read only when BTF lacks a name, since the kernel takes 60 ms to print it (122,000 lines, 6.18). */
  readonly kallsyms: () => Symbols
  /** /sys/kernel/debug/kprobes/blacklist: functions that kprobes must not touch. */
  readonly blacklist: Reading
}

/** Arguments in registers on x86-64: bpftrace lists no function with more for fentry (0.27.1: "No matches for fentry"). */
const mostArguments = 6

/** For each name, whether BTF describes such a function, and few enough arguments; empty without BTF. */
export function judgeBtfFunctions(
  names: readonly string[],
  types: BtfFindings | null,
): Record<string, Fact> {
  if (types === null) return {}
  const judge = (name: string) => {
    const count = types.argumentCounts[name] ?? 0
    if (count > mostArguments)
      return no(
        `${name} has ${count} arguments, and bpftrace hooks none with more than ${mostArguments}`,
      )
    return types.functions[name] === true
      ? yes(`BTF has the function ${name}`)
      : no(`BTF has no function ${name}`)
  }
  return Object.fromEntries(names.map((name) => [name, judge(name)]))
}

/** For each name, whether the kernel has such a function and allows hooks on it, by whatever mechanism there is. */
export function judgeFunctions(
  names: readonly string[],
  sources: FunctionSources,
): Record<string, Fact> {
  const listed = (name: string) => sources.types?.functions[name] === true
  const symbols = names.every(listed) ? null : sources.kallsyms()
  const refused = 'text' in sources.blacklist ? parseBlacklist(sources.blacklist.text) : new Set()
  return Object.fromEntries(
    names.map((name) => {
      if (refused.has(name)) return [name, no(`${name} is in /sys/kernel/debug/kprobes/blacklist`)]
      if (listed(name) || symbols === null) return [name, yes(`BTF has the function ${name}`)]
      return [name, judgeSymbol(symbols, name)]
    }),
  )
}

/** `ffffffff82022ff0 T tcp_connect`, and a tab and `[module]` where it is in one (s_show in kernel/kallsyms.c). */
function judgeSymbol(symbols: Symbols, name: string): Fact {
  if ('errno' in symbols) return unknown(`/proc/kallsyms: ${symbols.errno}`)
  const end = ['\n', '\t['].find((mark) => findCode(symbols.bytes, `${name}${mark}`))
  if (end === undefined) return no(`neither BTF nor /proc/kallsyms has a function ${name}`)
  return yes(`/proc/kallsyms has ${name}${end === '\n' ? '' : ' in a module'}, BTF has not`)
}

/** For each name, whether /proc/kallsyms tells where the kernel's only variable of that name is. */
export function judgeSymbols(
  names: readonly string[],
  kallsyms: () => Symbols,
): Record<string, Fact> {
  if (names.length === 0) return {}
  const symbols = kallsyms()
  return Object.fromEntries(names.map((name) => [name, judgeVariable(symbols, name)]))
}

/** Letters of nm(1) for data: initialised, zeroed, read-only. An address that is hidden is all zeros (kptr_restrict). */
function judgeVariable(symbols: Symbols, name: string): Fact {
  if ('errno' in symbols) return unknown(`/proc/kallsyms: ${symbols.errno}`)
  const addresses = ['b', 'B', 'd', 'D', 'r', 'R'].flatMap((letter) => {
    const at = symbols.bytes.indexOf(` ${letter} ${name}\n`, 0, 'latin1')
    return at < 0 ? [] : [symbols.bytes.toString('latin1', Math.max(0, at - 16), at)]
  })
  const [address] = addresses
  if (address === undefined) return no(`/proc/kallsyms has no variable ${name}`)
  if (addresses.length > 1) return no(`/proc/kallsyms has several variables ${name}`)
  return /^0+$/.test(address)
    ? no(`/proc/kallsyms hides the address of ${name}`)
    : yes(`/proc/kallsyms has the variable ${name}`)
}

/** Letters of nm(1) for code: text, weak. A variable of the same name is not a function. */
function findCode(symbols: Buffer, rest: string): boolean {
  return ['t', 'T', 'w', 'W'].some((letter) => symbols.includes(` ${letter} ${rest}`, 0, 'latin1'))
}
