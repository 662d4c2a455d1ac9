import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { EbpfRunError } from '../errors.ts'
import type { NamespaceKind, Names } from '../host/names.ts'
import type { FieldSpec } from '../schema/define.ts'
import { errnoNames } from '../schema/errno.ts'
import { deviceNumber } from '../schema/kinds.ts'
import { ipProtocols } from '../schema/packets.ts'
import { signals } from '../schema/signals.ts'
import { syscallNames } from '../schema/syscall-names.ts'
import { agree, type Bits, type Block, mappedPrefix, type Range } from './filters.ts'

function bad(flag: string, text: string, expected: string, remedy?: string): EbpfRunError {
  return new EbpfRunError({
    code: 'BAD_VALUE',
    message: `--${flag}: ${expected} was expected`,
    expected,
    found: JSON.stringify(text),
    ...(remedy === undefined ? {} : { remedy }),
  })
}

const examples: Readonly<Record<string, string>> = {
  'a port': '443 or 8000-8100',
  'a CPU': '0 or 2-3',
}

export function parseRange(flag: string, text: string, max: number, what: string): Range {
  const [, from = '', to = from] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text) ?? []
  const range = { min: Number(from), max: Number(to) }
  if (from === '' || range.max > max || range.min > range.max) {
    throw bad(
      flag,
      text,
      `${what} from 0 to ${max}, or a range`,
      `for example --${flag} ${examples[what] ?? Math.min(max, 1234)}`,
    )
  }
  return range
}

export function parseComm(flag: string, text: string): readonly number[] {
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

/** A regular expression as JavaScript has it. */
export function parseRegExp(flag: string, text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw bad(
      flag,
      text,
      `a regular expression of JavaScript (${error instanceof Error ? error.message : 'wrong'})`,
      String.raw`a backslash in front takes the meaning from a character: '\(', '\.'`,
    )
  }
}

const signalNumbers = new Map(
  Object.entries(signals).map(([number, name]) => [name.slice('SIG'.length), Number(number)]),
)

/** A signal by number or name, with or without SIG, or a range of numbers. */
export function parseSignal(flag: string, text: string): Range {
  if (/^\d/.test(text)) return parseRange(flag, text, 64, 'a signal')
  const number = signalNumbers.get(text.toUpperCase().replace(/^SIG/, ''))
  if (number === undefined)
    throw bad(
      flag,
      text,
      'a signal, by name or number',
      `for example --${flag} TERM or --${flag} 15`,
    )
  return { min: number, max: number }
}

const errnoNumbers = new Map(
  Object.entries(errnoNames).map(([number, name]) => [name, Number(number)]),
)

/** An errno by name or number, or a range of numbers, to the results that stand for it. */
export function parseErrno(flag: string, text: string): Range {
  if (/^\d/.test(text)) {
    const { min, max } = parseRange(flag, text, 4_095, 'an errno')
    if (max === 0)
      throw bad(flag, text, 'an errno from 1 on', '--ok shows what succeeded, --failed the rest')
    return { min: -Number(max), max: -Math.max(1, Number(min)) }
  }
  const number = errnoNumbers.get(text.toUpperCase())
  if (number === undefined)
    throw bad(
      flag,
      text,
      'an errno, by name or number',
      `for example --${flag} ENOENT or --${flag} 2`,
    )
  return { min: -number, max: -number }
}

/** A value of an enum by its name, in any case. */
export function parseEnum(flag: string, text: string, spec: FieldSpec | undefined): Range {
  const names = Object.entries(spec?.names ?? {})
  const found = names.find(([, name]) => name.toLowerCase() === text.toLowerCase())
  if (found === undefined) {
    const known = names.map(([, name]) => name)
    throw bad(flag, text, `one of ${known.join(', ')}`, `for example --${flag} ${known[0]}`)
  }
  return { min: Number(found[0]), max: Number(found[0]) }
}

/**
 * Flags by their names, joined by `|`: all of them must be set. `NONE`: nothing is set.
 */
export function parseFlags(flag: string, text: string, spec: FieldSpec | undefined): Bits {
  const flags = spec?.flags ?? []
  const named = flags.filter((name) => name !== '')
  if (text.toUpperCase() === 'NONE') return { mask: 4_294_967_295, value: 0 }
  const bits = text.split('|').map((name) => {
    const at = flags.findIndex((each) => each !== '' && each === name.trim().toUpperCase())
    if (at < 0)
      throw bad(
        flag,
        text,
        `flags of ${named.join(', ')}`,
        `for example --${flag} '${named.slice(0, 2).join('|')}'`,
      )
    return 2 ** at
  })
  const mask = [...new Set(bits)].reduce((all, bit) => all + bit, 0)
  return { mask, value: mask }
}

const syscallNumbers = new Map(
  Object.entries(syscallNames).map(([number, name]) => [name, Number(number)]),
)

/** A system call by number or name, or a range of numbers. */
export function parseSyscall(flag: string, text: string): Range {
  if (/^\d/.test(text)) return parseRange(flag, text, 4_294_967_295, 'a system call')
  const number = syscallNumbers.get(text)
  if (number === undefined)
    throw bad(
      flag,
      text,
      'a system call, by name or number',
      `for example --${flag} openat; ebpf-run list --attach-points 'syscall:*' lists them`,
    )
  return { min: number, max: number }
}

/** An IP protocol by number or by the name that events show, in any case, or a range of numbers. */
export function parseProtocol(flag: string, text: string): Range {
  if (/^\d/.test(text)) return parseRange(flag, text, 255, 'a protocol')
  const number = protocolNumbers.get(text.toUpperCase())
  if (number === undefined)
    throw bad(
      flag,
      text,
      'an IP protocol, by name or number',
      `for example --${flag} TCP or --${flag} 6`,
    )
  return { min: number, max: number }
}

const protocolNumbers = new Map(
  Object.entries(ipProtocols).map(([number, name]) => [name.toUpperCase(), Number(number)]),
)

export function parseUser(flag: string, text: string, names: Names): Range {
  if (/^\d/.test(text)) return parseRange(flag, text, 4_294_967_295, 'a user id')
  const id = names.user(text)
  if (id === null) throw bad(flag, text, 'a user id or a name in /etc/passwd', 'getent passwd')
  return { min: id, max: id }
}

/** Throws BAD_VALUE also for a path that would leave the mount of cgroup v2. */
export function parseCgroup(flag: string, text: string, names: Names): Range {
  if (text.split('/').includes('..'))
    throw bad(flag, text, 'a cgroup path without ..', cgroupRemedy)
  if (/^\/(?:sys|proc)\//.test(text) && !/^\/sys\/fs\/cgroup(?:\/|$)/.test(text))
    throw bad(flag, text, 'a path below /sys/fs/cgroup', cgroupRemedy)
  const id = /^\d{1,20}$/.test(text) ? BigInt(text) : names.cgroup(text)
  if (id === null || id >= 2n ** 64n)
    throw bad(flag, text, 'the path of a cgroup below /sys/fs/cgroup, or an id', cgroupRemedy)
  return { min: id, max: id }
}

const cgroupRemedy = 'ls /sys/fs/cgroup; /proc/PID/cgroup has the path of a process'

/** The beginning of a container's id or name. */
export function parseContainer(flag: string, text: string): RegExp {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(text))
    throw bad(
      flag,
      text,
      'the beginning of a container id, or of a name',
      'docker ps; podman ps; crictl ps; machinectl',
    )
  return new RegExp(`^${text.replaceAll('.', String.raw`\.`)}`)
}

export function parseNetns(flag: string, text: string, names: Names): Range {
  return parseNamespace(flag, text, names, {
    file: 'net',
    what: 'network',
    remedy: 'ip netns list',
  })
}

/** A namespace, by its inode or the path of a file of it; one of networks by its `ip netns` name too. */
export function parseNamespace(
  flag: string,
  text: string,
  names: Names,
  { file, what, remedy }: { file: NamespaceKind; what: string; remedy?: string },
): Range {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : names.namespace(file, text)
  const example =
    remedy ?? `for example --${flag} /proc/self/ns/${file}; lsns -t ${file} lists them`
  if (typeof id === 'string' || id >= 2 ** 32)
    throw bad(
      flag,
      typeof id === 'string' ? `${text} (${id})` : text,
      `a ${what} namespace, by inode or path`,
      example,
    )
  return { min: id, max: id }
}

/** A block device: its name below /dev, or `MAJOR:MINOR`. A name that could leave its folder is none. */
export function parseDisk(flag: string, text: string, names: Names): Range {
  const name = text.replace(/^\/dev\//, '')
  const isName = /^[A-Za-z][\w!.-]*$/.test(name)
  const device = deviceNumber(isName ? (names.device(name) ?? '') : text)
  if (device === null)
    throw bad(
      flag,
      text,
      'a block device, by name or MAJOR:MINOR',
      'lsblk, or cat /proc/partitions',
    )
  return { min: device, max: device }
}

export function parseFamily(flag: string, text: string): Range {
  if (text !== '4' && text !== '6') throw bad(flag, text, '4 or 6', `for example --${flag} 4`)
  return { min: Number(text), max: Number(text) }
}

export function parseBlock(flag: string, text: string): Block {
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
  if (version === 4) return { bytes: [...mappedPrefix, ...parsed.toByteArray()], bits: bits + 96 }
  const bytes = parsed.toByteArray()
  return bits < 96 && agree(bytes, mappedPrefix, bits)
    ? { bytes, bits, withoutMapped: true }
    : { bytes, bits }
}
