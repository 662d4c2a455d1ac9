import { EbpfRunError } from '../errors.ts'
import { common } from '../schema/common.ts'
import type { Need, ProbeSpec } from '../schema/define.ts'
import type { MadeProbe } from './request.ts'

/** A function of a program or library. */
export interface UserFunction {
  readonly path: string
  readonly name: string
}

/** What is counted: functions of the kernel and where their code begins, tracepoints as `CATEGORY:NAME`, functions of user space. */
export interface Counted {
  readonly functions: readonly { readonly name: string; readonly address: bigint }[]
  readonly tracepoints: readonly string[]
  readonly user: readonly UserFunction[]
}

/**
 * As many as bcc's funccount takes. bpftrace would take 512, ours among them (1024 from 0.23 on), and is told to take more
 * (BPFTRACE_MAX_PROBES); but the kernel attaches and detaches one at a time, which adds up.
 */
export const mostFunctions = 1000
/** Each has a program of its own, and with bpftrace a counter. */
export const mostNumbered = 64

/**
 * The probe that counts calls of each of several functions or tracepoints. Functions of the kernel share one program, which tells
 * them by the instruction pointer; tracepoints and functions of user space, which lie elsewhere in each process, have numbers of ours.
 */
export function defineCalls(counted: Counted, pattern: string): MadeProbe {
  const { functions, tracepoints, user } = counted
  checkSize(counted, pattern)
  const needs: readonly Need[] = [
    // They come from the kernel's own list: one stands for all.
    ...functions.slice(0, 1).map(({ name }) => ({ function: name, by: 'kprobe' }) as const),
    ...tracepoints.map((tracepoint) => ({ tracepoint })),
    ...user.map(({ path, name }) => ({ uprobe: name, library: path })),
  ]
  const attachPoints = functions.length + tracepoints.length + user.length
  const misses = 'calls made while another tracing program runs on that CPU'
  const spec: ProbeSpec = {
    name: 'funccount',
    summary: `calls of ${pattern}`,
    example: "ebpf-run funccount 'tcp_*' --interval 1s",
    owner: 'task',
    aggregate: { by: ['function'] },
    events: {
      call: {
        doc: 'one call',
        fields: {
          ...common,
          function: {
            kind: 'enum',
            names: { ...functionNames(functions), ...numberNames(counted) },
            namesText: 'the name of a function or tracepoint',
            doc: 'what was called',
            width: 32,
          },
        },
        table: ['time', 'pid', 'comm', 'function'],
      },
    },
    variants: [
      {
        name: 'calls',
        backend: 'bpftrace',
        template: 'calls.bt',
        // From 0.22 on programs of uprobes that preempt each other mix their values, as in probes/dns.
        needs: [...(user.length > 0 ? [{ bpftrace: '<0.22.0' }] : []), ...needs],
        attachPoints,
        cannotTell: {},
        misses,
        cost: 'a program a call',
      },
      {
        name: 'bcc',
        backend: 'bcc',
        template: 'calls.bcc.c',
        needs: [{ bcc: '>=0.18.0' }, ...needs],
        attachPoints,
        cannotTell: {},
        misses,
        cost: 'a program a call; a compiler run of a second or more at the start',
      },
    ],
  }
  return { spec, templates: { calls: forBpftrace(counted), bcc: forBcc(counted) } }
}

function checkSize({ functions, tracepoints, user }: Counted, pattern: string): void {
  const [count, most, what] =
    functions.length > mostFunctions
      ? [functions.length, mostFunctions, 'functions of the kernel']
      : [tracepoints.length + user.length, mostNumbered, 'tracepoints and functions of user space']
  if (count > most)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${pattern} is too much to count at once`,
      expected: `at most ${most} ${what}`,
      found: `${count} ${what}`,
      remedy: `a narrower pattern counts fewer, and several runs at once count more; ebpf-run list --attach-points '${pattern}' shows them`,
    })
}

/** Functions begin at multiples of 16, and what the kernel says of a call lies a few bytes behind: their number is without those. */
const slot = (address: bigint): number => Number(address & 0xffff_fff0n)
/** endbr64, and the breakpoint or call that the kernel puts behind it. */
const furthest = 5n

/** Numbers to names; those of two functions have none. */
function functionNames(functions: Counted['functions']): Readonly<Record<number, string>> {
  const slots = functions.flatMap(({ name, address }) =>
    [...new Set([slot(address), slot(address + furthest)])].map((number) => ({ name, number })),
  )
  const counts = new Map<number, Set<string>>()
  for (const { name, number } of slots)
    counts.set(number, (counts.get(number) ?? new Set()).add(name))
  return Object.fromEntries(
    slots
      .filter(({ number }) => counts.get(number)?.size === 1)
      .map(({ name, number }) => [number, name]),
  )
}

/** What has a number of ours, in its order from 1 on; no code of the kernel lies so low. */
const numberNames = ({ tracepoints, user }: Counted): Readonly<Record<number, string>> =>
  Object.fromEntries(
    [...tracepoints, ...user.map((each) => shownAs(each, user))].map(
      (name, index) => [index + 1, name] as const,
    ),
  )

const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** By the name of its file; by its path where another file has that name. */
function shownAs({ path, name }: UserFunction, all: readonly UserFunction[]): string {
  const isAlone = all.every((each) => each.path === path || fileName(each.path) !== fileName(path))
  return `${isAlone ? fileName(path) : path}:${name}`
}

const slotMask = 4_294_967_280

function forBpftrace({ functions, tracepoints, user }: Counted): string {
  const register = process.arch === 'arm64' ? 'pc' : 'ip'
  const program = (head: string, value: string) =>
    `${head}\n{\n  {{emit call\n    task\n    function = (uint64)${value}\n  }}\n}\n`
  const names = functions.map(({ name }) => `kprobe:${name}`).join(',\n')
  return [
    ...(functions.length > 0 ? [program(names, `reg("${register}") & ${slotMask}`)] : []),
    ...tracepoints.map((name, index) => program(`tracepoint:${name}`, String(index + 1))),
    ...user.map(({ path, name }, index) =>
      program(`{{uprobe ${path} ${name}}}`, String(tracepoints.length + index + 1)),
    ),
  ].join('\n')
}

function forBcc({ functions, tracepoints, user }: Counted): string {
  const program = (head: string, value: string) =>
    `${head}\n{\n  return called(ctx, ${value});\n}\n`
  const names = functions.map(({ name }) => name).join(',')
  return [
    `static __always_inline int called(void *ctx, u64 function)
{
  {{emit call
    task
    function = function
  }}
  return 0;
}
`,
    ...(functions.length > 0
      ? [program(`{{kprobes ${names}}}`, `PT_REGS_IP(ctx) & ${slotMask}U`)]
      : []),
    ...tracepoints.map((name, index) => program(`{{tracepoint ${name}}}`, String(index + 1))),
    ...user.map(({ path, name }, index) =>
      program(`{{uprobe ${path} ${name}}}`, String(tracepoints.length + index + 1)),
    ),
  ].join('\n')
}
