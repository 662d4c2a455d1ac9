import type { AttachPoints } from './attach-points.ts'
import { hookNames } from './btf-types.ts'
import { readBytes } from './read.ts'
import { readTracefs } from './tracefs-files.ts'

/** Everything that this kernel offers, read from its own lists. As root that is all; without, what BTF and /proc/kallsyms say. */
export async function readAttachPoints(env: NodeJS.ProcessEnv): Promise<AttachPoints> {
  const [events, traceable] = await Promise.all([
    readTracefs('available_events', env),
    readTracefs('available_filter_functions', env),
  ])
  const btf = readBytes('/sys/kernel/btf/vmlinux')
  const typed =
    'bytes' in btf ? hookNames(btf.bytes) : { functions: [], rawTracepoints: [] as string[] }
  const tracepoints =
    'text' in events ? lines(events.text).filter((name) => name.includes(':')) : []
  const symbols = readSymbols()
  // Without the list of traceable functions, the symbols of the kernel's code are the next best.
  const functions = 'text' in traceable ? parseTraceable(traceable.text) : symbols
  const known = new Set(typed.functions)
  const noBtf = 'errno' in btf ? { rawtracepoint: `/sys/kernel/btf/vmlinux: ${btf.errno}` } : {}
  return {
    names: {
      tracepoint: sorted(tracepoints),
      rawtracepoint: typed.rawTracepoints,
      kprobe: sortedByOwnName(functions),
      fentry: sortedByOwnName(functions.filter((name) => known.has(name))),
      syscall: sorted(
        tracepoints.flatMap((name) => /^syscalls:sys_enter_(\w+)$/.exec(name)?.[1] ?? []),
      ),
    },
    repeated: repeatedOf(symbols.map((name) => name.replace(/^\w+:/, ''))),
    gaps: {
      ...noBtf,
      ...('why' in events ? { tracepoint: events.why, syscall: events.why } : {}),
      ...('why' in traceable
        ? {
            kprobe: `${traceable.why}; shown are the functions of /proc/kallsyms, some of which cannot be hooked`,
            fentry: `${traceable.why}; shown are the functions of BTF, some of which cannot be hooked`,
          }
        : {}),
    },
  }
}

/** `tcp_connect` or `nf_nat_setup_info [nf_nat]` a line (kernel/trace/ftrace.c, t_show). */
export function parseTraceable(text: string): readonly string[] {
  return lines(text).flatMap((line) => {
    const [, name, module] = /^([\w.]+)(?:\t| )?(?:\[(\w+)\])?/.exec(line) ?? []
    return name === undefined ? [] : [module === undefined ? name : `${module}:${name}`]
  })
}

/** Names of /proc/kallsyms that are code: `ffffffff82022ff0 T tcp_connect`, and a tab and `[module]` (kernel/kallsyms.c, s_show). */
export function parseSymbols(text: string): readonly string[] {
  return [...text.matchAll(/^[0-9a-f]+ [tTwW] ([A-Za-z_][\w.]*)(?:\t\[(\w+)\])?$/gm)].flatMap(
    ([, name = '', module]) =>
      // Programs of BPF and copies that the compiler made have names that no probe takes.
      module === 'bpf' || /^(?:__pfx_|__cfi_)/.test(name)
        ? []
        : [module === undefined ? name : `${module}:${name}`],
  )
}

function readSymbols(): readonly string[] {
  const file = readBytes('/proc/kallsyms')
  return 'errno' in file ? [] : parseSymbols(file.bytes.toString('latin1'))
}

function repeatedOf(names: readonly string[]): readonly string[] {
  const seen = new Set<string>()
  return sorted(names.filter((name) => seen.size === seen.add(name).size))
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].sort()

/** The functions of modules stand among those of the kernel. */
function sortedByOwnName(names: readonly string[]): readonly string[] {
  const ownName = (name: string) => name.slice(name.indexOf(':') + 1)
  return sorted(names).toSorted((a, b) =>
    ownName(a) < ownName(b) ? -1 : ownName(a) > ownName(b) ? 1 : 0,
  )
}
