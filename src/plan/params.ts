import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { EbpfRunError } from '../errors.ts'
import type { Names } from '../host/names.ts'
import type { ProbeSpec } from '../schema/define.ts'
import type { AnyFilter, Block, Choice, Filter, Range } from './filters.ts'

interface FlagSpec {
  readonly flag: string
  readonly field: string
  readonly doc: string
  readonly metavar: string
  parse(
    flag: string,
    text: string,
    names: Names,
  ): Omit<Filter, 'field' | 'flag' | 'choices'> & { value: unknown }
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
    flag: 'comm',
    field: 'comm',
    metavar: 'NAME',
    doc: 'command names, exact, at most 15 bytes',
    parse: (flag, text) => ({ by: 'text', value: parseComm(flag, text) }),
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
    flag: 'family',
    field: 'family',
    metavar: '4|6',
    doc: 'address family',
    parse: (flag, text) => ({ by: 'number', value: parseFamily(flag, text) }),
  },
  {
    flag: 'cgroup',
    field: 'cgroup',
    metavar: 'PATH',
    doc: 'cgroup v2 paths or ids',
    parse: (flag, text, names) => ({
      by: 'number',
      value: parseNamed(flag, text, 'a cgroup v2 path or id', 2n ** 64n, (name) =>
        names.cgroup(name),
      ),
    }),
  },
  {
    flag: 'netns',
    field: 'netns',
    metavar: 'NS',
    doc: 'network namespaces: inode, path or `ip netns` name',
    parse: (flag, text, names) => ({
      by: 'number',
      value: parseNamed(flag, text, 'a network namespace', 2n ** 32n, (name) => names.netns(name)),
    }),
  },
]

/** The filters of one probe. */
export function flagsOf(probe: ProbeSpec): readonly FlagSpec[] {
  const fields = new Set(Object.values(probe.events).flatMap((event) => Object.keys(event.fields)))
  return filterFlags.filter((spec) => fields.has(spec.field))
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
  const filters: AnyFilter[] = flagsOf(probe).flatMap((spec) => {
    const texts = (values[spec.flag] ?? []).flatMap((text) => text.split(','))
    if (texts.length === 0) return []
    const choices = texts.map((text) => parseChoice(spec, text.trim(), names))
    const by = choices[0]?.by ?? 'number'
    return [
      {
        field: spec.field,
        flag: spec.flag,
        by,
        choices: choices.map(({ negated, value }) => ({ negated, value })),
      } as Filter,
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

function parseChoice(
  spec: FlagSpec,
  text: string,
  names: Names,
): Choice<unknown> & { by: Filter['by'] } {
  const negated = text.startsWith('!')
  const { by, value } = spec.parse(spec.flag, negated ? text.slice(1) : text, names)
  return { negated, value, by }
}

function bad(flag: string, text: string, expected: string, remedy?: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--${flag}: ${expected} was expected`,
    expected,
    found: JSON.stringify(text),
    ...(remedy === undefined ? {} : { remedy }),
  })
}

function parseRange(flag: string, text: string, max: number, what: string): Range {
  const [, from = '', to = from] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text) ?? []
  const range = { min: Number(from), max: Number(to) }
  if (from === '' || range.max > max || range.min > range.max) {
    throw bad(
      flag,
      text,
      `${what} from 0 to ${max}, or a range`,
      `for example --${flag} ${what === 'a port' ? '443 or 8000-8100' : '1234'}`,
    )
  }
  return range
}

function parseComm(flag: string, text: string): readonly number[] {
  const bytes = [...Buffer.from(text)]
  if (bytes.length === 0 || bytes.length > 15 || bytes.includes(0)) {
    throw bad(
      flag,
      text,
      'a command name of 1 to 15 bytes',
      'the kernel keeps the first 15 bytes of a name: see /proc/PID/comm',
    )
  }
  return bytes
}

function parseUser(flag: string, text: string, names: Names): Range {
  if (/^\d/.test(text)) return parseRange(flag, text, 4_294_967_295, 'a user id')
  const id = names.user(text)
  if (id === null) throw bad(flag, text, 'a user id or a name in /etc/passwd', 'getent passwd')
  return { min: id, max: id }
}

function parseNamed(
  flag: string,
  text: string,
  what: string,
  below: bigint,
  find: (name: string) => number | bigint | null,
): Range {
  const id = /^\d{1,20}$/.test(text) ? BigInt(text) : find(text)
  if (id === null || id >= below)
    throw bad(flag, text, what, flag === 'netns' ? 'ip netns list' : 'ls /sys/fs/cgroup')
  return { min: id, max: id }
}

function parseFamily(flag: string, text: string): Range {
  if (text !== '4' && text !== '6') throw bad(flag, text, '4 or 6')
  return { min: Number(text), max: Number(text) }
}

function parseBlock(flag: string, text: string): Block {
  const [address = '', prefix] = text.split('/', 2)
  const version = isIP(address)
  const most = version === 4 ? 32 : 128
  const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
  if (
    version === 0 ||
    bits < 0 ||
    bits > most ||
    text.split('/').length > 2 ||
    address.includes('%')
  ) {
    throw bad(
      flag,
      text,
      'an address or a CIDR block',
      `for example --${flag} 10.0.0.0/8 or --${flag} 2001:db8::/32`,
    )
  }
  const parsed = ipaddr.parse(address)
  const bytes =
    version === 4
      ? [...Array<number>(10).fill(0), 255, 255, ...parsed.toByteArray()]
      : parsed.toByteArray()
  return { bytes, bits: version === 4 ? bits + 96 : bits }
}
