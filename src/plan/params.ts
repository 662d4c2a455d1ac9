import { EbpfRunError } from '../errors.ts'
import type { NamespaceKind, Names } from '../host/names.ts'
import type { FieldSpec, ProbeSpec } from '../schema/define.ts'
import type { Kind } from '../schema/kinds.ts'
import {
  parseBlock,
  parseCgroup,
  parseComm,
  parseContainer,
  parseDisk,
  parseEnum,
  parseErrno,
  parseFamily,
  parseFlags,
  parseNamespace,
  parseNetns,
  parseProtocol,
  parseRange,
  parseRegExp,
  parseSignal,
  parseSyscall,
  parseUser,
} from './filter-values.ts'
import type { AnyFilter, Choice, Filter, TaskFilter, TaskNumber } from './filters.ts'

interface FlagSpec {
  readonly flag: string
  readonly field: string
  readonly doc: string
  readonly metavar: string
  /** Its values may hold any byte, so a backslash takes the meaning from `,`, `!` and `\\`. */
  readonly escapes?: true
  /** Its value is one, and no list. */
  readonly whole?: true
  /** Only where the field is of this kind. */
  readonly kind?: Kind
  /** Only where the field has names by itself, `names` or `flags`. */
  readonly named?: 'names' | 'flags' | 'none'
  /** Only where --failed looks at the field. */
  readonly failing?: true
  /** Where events do not have the field: a number of the task that they happen in. */
  readonly task?: TaskNumber
  parse(
    flag: string,
    text: string,
    names: Names,
    field: FieldSpec | undefined,
  ): Omit<Filter, 'field' | 'flag' | 'choices'> & { value: unknown }
}

/** A filter of one probe: by a field of its events or, with `ofTask`, by the task alone. */
export interface ProbeFlag extends FlagSpec {
  /** Of the field; absent where no event has it. */
  readonly spec?: FieldSpec
  readonly ofTask: boolean
}

const number = (max: number, what: string) => (flag: string, text: string) => ({
  by: 'number' as const,
  value: parseRange(flag, text, max, what),
})

/** The filters that mean the same for every probe. A probe has those whose field its events have. */
export const filterFlags: readonly FlagSpec[] = [
  {
    flag: 'pid',
    field: 'pid',
    metavar: 'PID',
    doc: 'process ids, ranges',
    parse: number(4_194_304, 'a process id'),
  },
  {
    flag: 'tid',
    field: 'tid',
    metavar: 'TID',
    doc: 'thread ids, ranges',
    parse: number(4_194_304, 'a thread id'),
  },
  {
    flag: 'ppid',
    field: 'ppid',
    task: 'ppid',
    metavar: 'PID',
    doc: 'process ids of the parent, ranges',
    parse: number(4_194_304, 'a process id'),
  },
  {
    flag: 'comm',
    field: 'comm',
    metavar: 'NAME',
    doc: String.raw`command names, exact, at most 15 bytes; \, and \! for a comma and a leading !`,
    escapes: true,
    parse: (flag, text) => ({ by: 'text', value: parseComm(flag, text) }),
  },
  {
    flag: 'comm-regex',
    field: 'comm',
    kind: 'text',
    metavar: 'REGEX',
    doc: 'only command names in which this regular expression is found; several: any of them',
    whole: true,
    parse: (flag, text) => ({ by: 'pattern', value: parseRegExp(flag, text) }),
  },
  {
    flag: 'cpu',
    field: 'cpu',
    metavar: 'CPU',
    doc: 'CPUs that ran the event, ranges',
    parse: number(65_535, 'a CPU'),
  },
  {
    flag: 'task',
    field: 'task',
    kind: 'text',
    metavar: 'NAME',
    doc: String.raw`command names, exact, at most 15 bytes; \, and \! for a comma and a leading !`,
    escapes: true,
    parse: (flag, text) => ({ by: 'text', value: parseComm(flag, text) }),
  },
  {
    flag: 'match',
    field: 'message',
    kind: 'text',
    metavar: 'REGEX',
    doc: 'only messages in which this regular expression is found; several: any of them',
    whole: true,
    parse: (flag, text) => ({ by: 'pattern', value: parseRegExp(flag, text) }),
  },
  {
    flag: 'path',
    field: 'path',
    kind: 'path',
    metavar: 'REGEX',
    doc: 'the same of paths from the root of the process',
    whole: true,
    parse: (flag, text) => ({ by: 'pattern', value: parseRegExp(flag, text) }),
  },
  {
    flag: 'uid',
    field: 'uid',
    metavar: 'USER',
    doc: 'user ids or names, ranges',
    parse: (flag, text, names) => ({ by: 'number', value: parseUser(flag, text, names) }),
  },
  {
    flag: 'lport',
    field: 'lport',
    metavar: 'PORT',
    doc: 'local ports, ranges',
    parse: number(65_535, 'a port'),
  },
  {
    flag: 'rport',
    field: 'rport',
    metavar: 'PORT',
    doc: 'remote ports, ranges',
    parse: number(65_535, 'a port'),
  },
  {
    flag: 'laddr',
    field: 'laddr',
    metavar: 'ADDR',
    doc: 'local addresses or CIDR blocks',
    parse: (flag, text) => ({ by: 'address', value: parseBlock(flag, text) }),
  },
  {
    flag: 'raddr',
    field: 'raddr',
    metavar: 'ADDR',
    doc: 'remote addresses or CIDR blocks',
    parse: (flag, text) => ({ by: 'address', value: parseBlock(flag, text) }),
  },
  {
    flag: 'saddr',
    field: 'saddr',
    metavar: 'ADDR',
    doc: 'source addresses or CIDR blocks',
    parse: (flag, text) => ({ by: 'address', value: parseBlock(flag, text) }),
  },
  {
    flag: 'daddr',
    field: 'daddr',
    metavar: 'ADDR',
    doc: 'destination addresses or CIDR blocks',
    parse: (flag, text) => ({ by: 'address', value: parseBlock(flag, text) }),
  },
  {
    flag: 'sport',
    field: 'sport',
    metavar: 'PORT',
    doc: 'source ports, ranges',
    parse: number(65_535, 'a port'),
  },
  {
    flag: 'dport',
    field: 'dport',
    metavar: 'PORT',
    doc: 'destination ports, ranges',
    parse: number(65_535, 'a port'),
  },
  {
    flag: 'protocol',
    field: 'protocol',
    metavar: 'NAME',
    doc: 'IP protocols, by name or number, ranges of numbers',
    parse: (flag, text) => ({ by: 'number', value: parseProtocol(flag, text) }),
  },
  {
    flag: 'family',
    field: 'family',
    metavar: '4|6',
    doc: 'address family',
    parse: (flag, text) => ({ by: 'number', value: parseFamily(flag, text) }),
  },
  {
    flag: 'signal',
    field: 'signal',
    metavar: 'SIGNAL',
    doc: 'signals, by name or number, ranges of numbers',
    parse: (flag, text) => ({ by: 'number', value: parseSignal(flag, text) }),
  },
  {
    flag: 'syscall',
    field: 'syscall',
    metavar: 'NAME',
    doc: 'system calls, by name or number, ranges of numbers',
    parse: (flag, text) => ({ by: 'number', value: parseSyscall(flag, text) }),
  },
  enumFlag('kind', 'kinds of event, by name'),
  enumFlag('op', 'what was asked for, by name'),
  enumFlag('access', 'what it was opened for, by name'),
  enumFlag('state', 'states of the socket, by name'),
  enumFlag('old_state', 'states before the change, by name'),
  enumFlag('new_state', 'states after the change, by name'),
  flagsFlag('flags'),
  flagsFlag('tcp_flags'),
  errnoFlag('result', 'result'),
  errnoFlag('ret', 'i32'),
  {
    flag: 'exit-code',
    field: 'exit_code',
    metavar: 'N',
    doc: 'what was passed to exit(), ranges',
    parse: number(255, 'an exit code'),
  },
  {
    flag: 'filename',
    field: 'filename',
    kind: 'text',
    metavar: 'REGEX',
    doc: 'only paths in which this regular expression is found; several: any of them',
    whole: true,
    parse: (flag, text) => ({ by: 'pattern', value: parseRegExp(flag, text) }),
  },
  {
    flag: 'tpid',
    field: 'tpid',
    metavar: 'PID',
    doc: 'process ids of the target, ranges',
    parse: number(4_194_304, 'a process id'),
  },
  {
    flag: 'dev',
    field: 'dev',
    metavar: 'DEVICE',
    doc: 'block devices, by name or MAJOR:MINOR',
    parse: (flag, text, names) => ({ by: 'number', value: parseDisk(flag, text, names) }),
  },
  {
    flag: 'cgroup',
    field: 'cgroup',
    metavar: 'PATH',
    doc: 'cgroup v2 paths below /sys/fs/cgroup, or ids',
    parse: (flag, text, names) => ({ by: 'number', value: parseCgroup(flag, text, names) }),
  },
  {
    flag: 'container',
    field: 'container',
    kind: 'container',
    metavar: 'ID',
    doc: 'containers, by the beginning of their ids or names',
    parse: (flag, text) => ({ by: 'pattern', value: parseContainer(flag, text) }),
  },
  namespaceFlag('mntns', 'mnt', 'mount'),
  namespaceFlag('pidns', 'pid', 'pid'),
  {
    flag: 'netns',
    field: 'netns',
    task: 'netns',
    metavar: 'NS',
    doc: 'network namespaces: inode, path or `ip netns` name',
    parse: (flag, text, names) => ({ by: 'number', value: parseNetns(flag, text, names) }),
  },
]

/** A field that holds -errno of what failed. */
function errnoFlag(field: string, kind: Kind): FlagSpec {
  return {
    flag: 'errno',
    field,
    kind,
    named: 'none',
    failing: true,
    metavar: 'ERRNO',
    doc: 'what it failed with, by name or number, ranges of numbers',
    parse: (flag, text) => ({ by: 'number', value: parseErrno(flag, text) }),
  }
}

/** An enum with names of its own: each value by its name. */
function enumFlag(field: string, doc: string): FlagSpec {
  return {
    flag: field.replaceAll('_', '-'),
    field,
    kind: 'enum',
    named: 'names',
    metavar: 'NAME',
    doc,
    parse: (flag, text, _, spec) => ({ by: 'number', value: parseEnum(flag, text, spec) }),
  }
}

/** A set of bits: those that are named must be set together. */
function flagsFlag(field: string): FlagSpec {
  return {
    flag: field.replaceAll('_', '-'),
    field,
    kind: 'enum',
    named: 'flags',
    metavar: 'FLAGS',
    doc: 'flags by name, those joined by | all of them; NONE for none',
    parse: (flag, text, _, spec) => ({ by: 'bits', value: parseFlags(flag, text, spec) }),
  }
}

/** A namespace of the task. */
function namespaceFlag(flag: 'mntns' | 'pidns', file: NamespaceKind, what: string): FlagSpec {
  return {
    flag,
    field: flag,
    task: flag,
    metavar: 'NS',
    doc: `${what} namespaces: inode, or path as in /proc/PID/ns/${file}`,
    parse: (name, text, names) => ({
      by: 'number',
      value: parseNamespace(name, text, names, { file, what }),
    }),
  }
}

/** The filters of one probe. */
export function flagsOf(probe: ProbeSpec): readonly ProbeFlag[] {
  const fields = new Map(
    Object.values(probe.events).flatMap((event) => Object.entries(event.fields)),
  )
  const failing = (probe.failed ?? []).map(({ field }) => field)
  return filterFlags.flatMap((flag): readonly ProbeFlag[] => {
    if (flag.failing && !failing.includes(flag.field)) return []
    const spec = fields.get(flag.field)
    if (spec !== undefined && suits(flag, spec)) return [{ ...flag, spec, ofTask: false }]
    return spec === undefined && flag.task !== undefined && probe.inTask === true
      ? [{ ...flag, ofTask: true }]
      : []
  })
}

function suits({ kind, named }: FlagSpec, spec: FieldSpec): boolean {
  if (kind !== undefined && spec.kind !== kind) return false
  if (named === 'none') return spec.names === undefined
  return named === undefined || spec[named] !== undefined
}

/**
 * Texts of the command line or library to filters. `values` maps a flag to its texts, each a comma list; `!` negates.
 * Throws BAD_VALUE or CONFLICT.
 */
export function parseFilters(
  probe: ProbeSpec,
  values: Readonly<Record<string, readonly string[]>>,
  outcome: 'failed' | 'ok' | null,
  names: Names,
): readonly AnyFilter[] {
  const filters: AnyFilter[] = flagsOf(probe).flatMap((spec): AnyFilter[] => {
    const texts = (values[spec.flag] ?? []).flatMap((text) =>
      spec.whole ? [{ negated: false, text }] : splitList(text, spec.escapes === true),
    )
    if (texts.length === 0) return []
    const choices = texts.map((text) => parseChoice(spec, text, names))
    const by = spec.ofTask ? 'task' : (choices[0]?.by ?? 'number')
    return [
      {
        field: spec.field,
        flag: spec.flag,
        by,
        choices: choices.map(({ negated, value }) => ({ negated, value })),
      } as Filter | TaskFilter,
    ]
  })
  if (outcome === null) return filters
  if (probe.failed === undefined) {
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `--${outcome}: events of ${probe.name} neither fail nor succeed`,
    })
  }
  return [
    ...filters,
    {
      by: 'outcome',
      flag: outcome,
      fields: probe.failed.map(({ field, min, max }) => ({ field, range: { min, max } })),
    },
  ]
}

/** One value of a list, without its `!`. */
interface ListItem {
  readonly negated: boolean
  readonly text: string
}

/** A comma with an even number of backslashes before it. */
const bareComma = /(?<=(?:^|[^\\])(?:\\\\)*),/

/** The values of a comma list; `!` in front of one negates it. */
export function splitList(list: string, escapes: boolean): readonly ListItem[] {
  return list.split(escapes ? bareComma : ',').map((item) => {
    const trimmed = item.trim()
    const negated = trimmed.startsWith('!')
    const text = negated ? trimmed.slice(1) : trimmed
    return { negated, text: escapes ? text.replace(/\\([,!\\])/g, '$1') : text }
  })
}

function parseChoice(
  spec: ProbeFlag,
  { negated, text }: ListItem,
  names: Names,
): Choice<unknown> & { by: Filter['by'] } {
  const { by, value } = spec.parse(spec.flag, text, names, spec.spec)
  return { negated, value, by }
}
