import type { AnyEvent } from '../schema/define.ts'

/** Closed range of integers. */
export interface Range {
  readonly min: number | bigint
  readonly max: number | bigint
}

/** One accepted or refused value of a filter. */
export interface Choice<T> {
  readonly negated: boolean
  readonly value: T
}

/**
 * An address block: 16 bytes of IPv6 (IPv4 as v4-mapped) and how many leading bits count. `::/0` and other blocks of IPv6 whose
 * bits cover ::ffff:0:0/96 are `withoutMapped`: IPv4 addresses are not in them.
 */
export interface Block {
  readonly bytes: readonly number[]
  readonly bits: number
  readonly withoutMapped?: true
}

/** What stands before the four bytes of an IPv4 address (RFC 4291, 2.5.5.2). */
export const mappedPrefix: readonly number[] = [...Array<number>(10).fill(0), 255, 255]

/** Bits of a number: those of `mask` must be those of `value`. */
export interface Bits {
  readonly mask: number
  readonly value: number
}

/** What a user asked for, parsed. A filter holds when no negated choice matches and, if there are others, one of those does. */
export type Filter =
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'number'
      readonly choices: readonly Choice<Range>[]
    }
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'text'
      readonly choices: readonly Choice<readonly number[]>[]
    }
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'address'
      readonly choices: readonly Choice<Block>[]
    }
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'pattern'
      readonly choices: readonly Choice<RegExp>[]
    }
  | {
      readonly field: string
      readonly flag: string
      readonly by: 'bits'
      readonly choices: readonly Choice<Bits>[]
    }

/** `--failed` or `--ok`: any (or none) of these numeric fields lies in its range. */
export interface OutcomeFilter {
  readonly flag: 'failed' | 'ok'
  readonly by: 'outcome'
  readonly fields: readonly { readonly field: string; readonly range: Range }[]
}

/** `-- COMMAND`: the process is the command or descends from it. Only the kernel can tell. */
export interface CommandFilter {
  readonly flag: 'command'
  readonly by: 'command'
  readonly field: 'pid'
}

/** `--ppid`, `--mntns`: a number of the task that the event happens in. No event carries it, so only the kernel can tell. */
export interface TaskFilter {
  readonly flag: string
  readonly by: 'task'
  readonly field: TaskNumber
  readonly choices: readonly Choice<Range>[]
}

/** What is asked of a task: its parent's process id, and the inodes of its namespaces. */
export type TaskNumber = 'ppid' | 'mntns' | 'pidns' | 'netns'

export type AnyFilter = Filter | OutcomeFilter | CommandFilter | TaskFilter

/** The fields that filters look at. */
export function fieldsOfFilters(filters: readonly AnyFilter[]): readonly string[] {
  return filters.flatMap((filter) =>
    filter.by === 'outcome' ? filter.fields.map(({ field }) => field) : [filter.field],
  )
}

/** Whether an event passes a filter that runs after the kernel. A field that is null passes only when nothing but negations was asked. */
export function eventPasses(filter: AnyFilter, event: AnyEvent, numberOf: NumberOf): boolean {
  if (filter.by === 'command') return event[filter.field] !== null
  if (filter.by === 'task') return true
  if (filter.by === 'outcome') {
    const failed = filter.fields.some(({ field, range }) => within(numberOf(event, field), range))
    return filter.flag === 'failed' ? failed : !failed
  }
  const matches = (choice: Choice<never>): boolean =>
    matchesChoice(filter, choice.value, event, numberOf)
  const choices = filter.choices as readonly Choice<never>[]
  const wanted = choices.filter((choice) => !choice.negated)
  return (
    !choices.some((choice) => choice.negated && matches(choice)) &&
    (wanted.length === 0 || wanted.some(matches))
  )
}

/** The number that a field stands for in an event: enums by their number, results by their code; null for none. */
export type NumberOf = (event: AnyEvent, field: string) => number | bigint | null

function matchesChoice(
  filter: Filter,
  value: unknown,
  event: AnyEvent,
  numberOf: NumberOf,
): boolean {
  switch (filter.by) {
    case 'number':
      return within(numberOf(event, filter.field), value as Range)
    case 'text':
      return (
        typeof event[filter.field] === 'string' &&
        sameBytes(event, filter.field, value as readonly number[])
      )
    case 'address': {
      const address = event[filter.field]
      return typeof address === 'string' && inBlock(addressBytes(address), value as Block)
    }
    case 'bits':
      return hasBits(numberOf(event, filter.field), value as Bits)
    case 'pattern': {
      const text = event[filter.field]
      return typeof text === 'string' && (value as RegExp).test(text)
    }
    default:
      return filter satisfies never
  }
}

export function within(value: number | bigint | null, range: Range): boolean {
  return value !== null && value >= range.min && value <= range.max
}

function hasBits(value: number | bigint | null, { mask, value: wanted }: Bits): boolean {
  return value !== null && (BigInt(value) & BigInt(mask)) === BigInt(wanted)
}

function sameBytes(event: AnyEvent, field: string, bytes: readonly number[]): boolean {
  const text = String(event[field])
  const shown = event.escaped?.includes(field)
    ? Buffer.from(
        text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        'latin1',
      )
    : Buffer.from(text)
  return shown.equals(Buffer.from(bytes))
}

function inBlock(bytes: readonly number[], block: Block): boolean {
  return agree(bytes, block.bytes, block.bits) && !(block.withoutMapped && isMapped(bytes))
}

const isMapped = (bytes: readonly number[]): boolean => agree(bytes, mappedPrefix, 96)

/** Whether the first `bits` bits are the same. */
export function agree(a: readonly number[], b: readonly number[], bits: number): boolean {
  return a.every((byte, index) => {
    const mask = maskByte(bits, index)
    return (byte & mask) === ((b[index] ?? 0) & mask)
  })
}

/** 16 bytes of a printed address; IPv4 as v4-mapped. */
export function addressBytes(address: string): readonly number[] {
  if (!address.includes(':')) return [...mappedPrefix, ...address.split('.').map(Number)]
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').flatMap(groupBytes))
  const left = groups(head)
  const right = groups(tail)
  return [...left, ...Array<number>(16 - left.length - right.length).fill(0), ...right]
}

function groupBytes(group: string): number[] {
  if (group.includes('.')) return group.split('.').map(Number)
  const value = Number.parseInt(group, 16)
  return [value >> 8, value & 255]
}

/** The bits of byte `index` that a prefix of `bits` bits covers. */
export function maskByte(bits: number, index: number): number {
  const left = Math.min(8, Math.max(0, bits - index * 8))
  return (0xff << (8 - left)) & 0xff
}
