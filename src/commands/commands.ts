import { builtin } from '../../probes/index.ts'
import type { RunOption } from './options.ts'

/** A word that may come first, as data. */
export interface CommandSpec {
  readonly name: string
  readonly aliases: readonly string[]
  readonly usage: string
  readonly doc: string
  /** The word that follows: a probe's name, a recording, or an attach point. */
  readonly takes: 'PROBE' | 'FILE' | 'ATTACH-POINT' | 'NAME' | 'SCRIPT' | null
  /** Its own, those of its probe, or those of these that say what the lines of a run are. */
  readonly options: readonly RunOption[] | 'probe' | 'shape'
  /** `-- COMMAND` may follow. */
  readonly takesCommand: boolean
}

const plain = { aliases: [], takes: null, options: [], takesCommand: false } as const
const ofProbe = { ...plain, takes: 'PROBE' } as const
const withOptions = { ...ofProbe, options: 'probe', takesCommand: true } as const

const tableOrJson: RunOption = {
  name: 'output',
  short: 'o',
  metavar: 'FORMAT',
  choices: ['table', 'json'],
  default: 'table',
  doc: 'output format',
  group: 'Options:',
}

/** Of `describe` with an attach point. */
export const attachPointOptions: readonly RunOption[] = [
  {
    name: 'expand',
    metavar: 'ARGUMENT',
    doc: 'the members of the struct that an argument points to: sk, sk.__sk_common',
    group: 'Options:',
  },
  tableOrJson,
]

/** Of `trace`, beside those of every run. */
export const traceOptions: readonly RunOption[] = [
  {
    name: 'where',
    metavar: 'EXPRESSION',
    doc: 'only events for which this holds: size > 4096 and comm == "curl"; looked at in the kernel',
    group: 'What to trace:',
    live: true,
  },
  {
    name: 'return',
    boolean: true,
    doc: "at the function's return, with its value as `retval`",
    group: 'What to trace:',
    live: true,
  },
  {
    name: 'latency',
    boolean: true,
    doc: 'one event for each call, with the time from entry to return',
    group: 'What to trace:',
    live: true,
  },
  {
    name: 'stack',
    boolean: true,
    doc: "the kernel's call stack with each event, as the field `stack`; tables show it with --fields",
    group: 'What to trace:',
    live: true,
  },
  {
    name: 'calls',
    boolean: true,
    doc: 'only count the calls of what the patterns match, as funccount does: 1000 functions at once',
    group: 'What to trace:',
    live: true,
  },
]

/** Of every command that loads a probe of the user's. */
export const allowOption: RunOption = {
  name: 'allow-user-probes',
  boolean: true,
  doc: 'as root, also a probe whose files others than root can change',
  live: true,
}

/** Of `new`, beside those that say what to trace. */
export const newOptions: readonly RunOption[] = [
  {
    name: 'dir',
    metavar: 'FOLDER',
    doc: 'where probes of your own are, in place of EBPF_RUN_PROBES, /etc/ebpf-run/probes (root) or ~/.config/ebpf-run/probes',
    group: 'Options:',
  },
  { ...allowOption, group: 'Options:' },
  tableOrJson,
]

const own: readonly CommandSpec[] = [
  {
    ...plain,
    name: 'list',
    usage: 'list [--attach-points PATTERN] [-o json]',
    doc: 'every probe with a line and an example; or what this kernel offers to hook',
    options: [
      {
        name: 'attach-points',
        metavar: 'PATTERN',
        doc: "attach points of this kernel, and of programs and libraries: 'kprobe:tcp_*', 'tracepoint:sock:*', 'fentry:/^tcp_v[46]/', 'uprobe:libc:getaddr*', 'usdt:python3:*'",
        group: 'Options:',
      },
      tableOrJson,
    ],
  },
  {
    ...ofProbe,
    name: 'describe',
    usage: 'describe PROBE | ATTACH-POINT',
    doc: 'what a probe does, or what an attach point of this kernel has: kprobe:tcp_connect, tracepoint:sock:inet_sock_set_state',
  },
  {
    ...withOptions,
    name: 'plan',
    usage: 'plan PROBE [options] [-o json]',
    doc: 'how it would run on this host, and why so',
  },
  {
    ...withOptions,
    name: 'print',
    usage: 'print PROBE [options]',
    doc: 'the program that would run here',
  },
  {
    ...ofProbe,
    options: 'shape',
    name: 'schema',
    usage: 'schema PROBE [--events | --summary | --hist FIELD] [--by LIST]',
    doc: 'the JSON Schema of what it prints with these options: its events, or groups of them',
  },
  {
    ...ofProbe,
    options: 'shape',
    name: 'types',
    usage: 'types PROBE [--summary | --hist FIELD] [--by LIST]',
    doc: 'TypeScript declarations of its events, or of groups of them',
  },
  {
    ...plain,
    takes: 'ATTACH-POINT',
    options: 'probe',
    takesCommand: true,
    name: 'trace',
    usage: 'trace ATTACH-POINT [FIELD=EXPRESSION[:KIND] ...] [ATTACH-POINT ...] [options]',
    doc: 'events of any function or tracepoint: kprobe:tcp_connect, tracepoint:sched:sched_switch, syscall:openat, uprobe:libc:getaddrinfo; several at once, each isolated',
  },
  {
    ...plain,
    takes: 'ATTACH-POINT',
    options: 'probe',
    takesCommand: true,
    name: 'funccount',
    usage: 'funccount PATTERN ... [options]',
    doc: "how often functions are called: funccount 'tcp_*' --interval 1s, funccount 'libc:mall*'; also tracepoint:sock:* and syscall:open*",
  },
  {
    ...plain,
    options: 'probe',
    name: 'pipe',
    usage: 'pipe [--match REGEX] [--task NAME] [--pattern FORMAT] [options]',
    doc: "what BPF programs print with bpf_printk, as events: pipe --pattern 'PID %{caller}d -> %{host}s:%{port}u'",
  },
  {
    ...plain,
    takes: 'NAME',
    options: [...traceOptions, ...newOptions],
    name: 'new',
    usage:
      'new NAME --from ATTACH-POINT [FIELD=EXPRESSION[:KIND] ...] [ATTACH-POINT ...] [options]',
    doc: 'a probe of your own, from the words of a trace: then ebpf-run NAME runs it',
  },
  {
    ...plain,
    takes: 'SCRIPT',
    options: 'probe',
    takesCommand: true,
    name: 'script',
    usage: 'script FILE.bt [ARGUMENT ...] [--fields EVENT:NAME,...] [options]',
    doc: "anybody's bpftrace script: each printf becomes an event with fields, each map a snapshot",
  },
  {
    ...plain,
    takes: 'FILE',
    options: 'probe',
    name: 'replay',
    usage: 'replay FILE [options]',
    doc: 'the events of a recording that --record made',
  },
  {
    ...plain,
    name: 'doctor',
    usage: 'doctor [-o json]',
    doc: 'what this host can do, and what to do about the rest',
    options: [tableOrJson],
  },
  {
    ...plain,
    name: 'completion',
    usage: 'completion',
    doc: 'what completes probes, commands and options in the shell that SHELL names: bash, zsh, fish',
  },
]

/** The command that a probe is. */
export function probeCommand(
  name: string,
  summary: string,
  aliases: readonly string[] = [],
): CommandSpec {
  return {
    ...{ name, aliases, usage: `${name} [options]`, doc: summary },
    ...{ takes: null, options: 'probe', takesCommand: true },
  }
}

const probes = Object.entries(builtin).map(([name, { aliases, summary }]) =>
  probeCommand(name, summary, aliases),
)

/** Every word that may come first: our own commands, and each probe. */
export const commands: readonly CommandSpec[] = [...own, ...probes]

/** The names of our own. */
export const ownNames: readonly string[] = own.map(({ name }) => name)

/** The command that a word names. */
export function commandNamed(word: string): CommandSpec | null {
  return commands.find(({ name, aliases }) => name === word || aliases.includes(word)) ?? null
}
