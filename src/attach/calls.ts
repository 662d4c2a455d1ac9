import { EbpfRunError } from '../errors.ts'
import { common } from '../schema/common.ts'
import type { Need, ProbeSpec } from '../schema/define.ts'
import type { MadeProbe } from './request.ts'

/** What is counted: functions of the kernel and where their code begins, and tracepoints as `CATEGORY:NAME`. */
export interface Counted {
  readonly functions: readonly { readonly name: string; readonly address: bigint }[]
  readonly tracepoints: readonly string[]
}

/** bpftrace attaches 512 at most (BPFTRACE_MAX_PROBES, 0.11 to 0.20; 1024 later), and ours are among them. */
export const mostFunctions = 400
/** Each has a program and a counter of its own. */
export const mostTracepoints = 64

/**
 * The probe that counts calls of each of several functions or tracepoints. Functions share one program, which tells them by the
 * instruction pointer; tracepoints have numbers of ours.
 */
export function defineCalls(counted: Counted, pattern: string): MadeProbe {
  const { functions, tracepoints } = counted
  checkSize(counted, pattern)
  const needs: readonly Need[] = [
    // They come from the kernel's own list: one stands for all.
    ...functions.slice(0, 1).map(({ name }) => ({ function: name, by: 'kprobe' }) as const),
    ...tracepoints.map((tracepoint) => ({ tracepoint })),
  ]
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
            names: { ...functionNames(functions), ...tracepointNames(tracepoints) },
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
        needs,
        cannotTell: {},
        misses: 'calls made while another tracing program runs on that CPU',
        cost: 'a program a call',
      },
    ],
  }
  return {
    spec,
    templates: {
      calls: [
        ...(functions.length > 0 ? [functionProgram(functions.map(({ name }) => name))] : []),
        ...tracepoints.map(tracepointProgram),
      ].join('\n'),
    },
  }
}

function checkSize({ functions, tracepoints }: Counted, pattern: string): void {
  const [count, most, what] =
    functions.length > mostFunctions
      ? [functions.length, mostFunctions, 'functions']
      : [tracepoints.length, mostTracepoints, 'tracepoints']
  if (count > most)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `${pattern} is too much to count at once`,
      expected: `at most ${most} ${what}`,
      found: `${count} ${what}`,
      remedy: `ebpf-run list --attach-points '${pattern}' shows them: a narrower pattern counts fewer`,
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

/** No kernel code lies so low. */
const tracepointNames = (tracepoints: readonly string[]): Readonly<Record<number, string>> =>
  Object.fromEntries(tracepoints.map((name, index) => [index + 1, name]))

const emit = (value: string): string => `{{emit call\n    task\n    function = ${value}\n  }}`

function functionProgram(names: readonly string[]): string {
  const register = process.arch === 'arm64' ? 'pc' : 'ip'
  return `${names.map((name) => `kprobe:${name}`).join(',\n')}\n{\n  ${emit(`(uint64)reg("${register}") & 4294967280`)}\n}\n`
}

const tracepointProgram = (name: string, index: number): string =>
  `tracepoint:${name}\n{\n  ${emit(`(uint64)${index + 1}`)}\n}\n`
