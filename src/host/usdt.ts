import type { UsdtProbe } from './elf.ts'

/** A place of a mark: where to attach, and where its arguments lie there. Plain data: a recording carries it. */
export interface MarkPlace {
  /** Where its instruction lies in the file. */
  readonly offset: number
  /** Where the counter lies in the file that the program asks before it goes there; null for none. */
  readonly counter: number | null
  readonly arguments: readonly MarkArgument[]
}

/** An argument as the note has it: `-4@-20(%rbp)`. */
export interface MarkArgument {
  readonly text: string
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number
  readonly signed: boolean
  readonly source: ArgumentSource
}

/** Where the value of an argument comes from, when the program is there. */
export type ArgumentSource =
  | { readonly is: 'constant'; readonly value: string }
  /** Its lowest bytes, after a shift by bits. */
  | {
      readonly is: 'register'
      readonly register: Register
      readonly bytes: number
      readonly shift: number
    }
  /** At the sum of an offset and of registers. */
  | {
      readonly is: 'memory'
      readonly offset: string
      readonly registers: readonly { readonly register: Register; readonly times: number }[]
    }
  | { readonly is: 'unreadable'; readonly why: string }

/** As `struct pt_regs` of x86-64 has them. */
export type Register = (typeof registers)[number]

const registers = [
  ...(['ax', 'bx', 'cx', 'dx', 'si', 'di', 'bp', 'sp', 'ip'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
] as const

interface Part {
  readonly register: Register
  readonly bytes: number
  readonly shift: number
}

/** What the assembler calls each register, and the parts of it. */
const parts: ReadonlyMap<string, Part> = new Map(registers.flatMap((each) => partsOf(each)))

function partsOf(register: Register): readonly [string, Part][] {
  const part = (name: string, bytes: number, shift = 0): [string, Part] => [
    name,
    { register, bytes, shift },
  ]
  if (register === 'ip') return [part('rip', 8)]
  if (register.startsWith('r'))
    return [
      part(register, 8),
      part(`${register}d`, 4),
      part(`${register}w`, 2),
      part(`${register}b`, 1),
    ]
  const wide = [part(`r${register}`, 8), part(`e${register}`, 4), part(register, 2)]
  const [letter] = register
  return register.endsWith('x')
    ? [...wide, part(`${letter}l`, 1), part(`${letter}h`, 1, 8)]
    : [...wide, part(`${register}l`, 1)]
}

/** Finds where a name of the file lies when it is loaded at 0; null: nowhere, or it is not the only one. */
export type AddressOf = (name: string) => bigint | null

/** Each place of a mark; none where one of them, or its counter, lies in no part of the file: nobody would know what is missed. */
export function markPlaces(
  notes: readonly UsdtProbe[],
  addressOf: AddressOf,
): readonly MarkPlace[] {
  const places = notes.map((note) => placeOf(note, addressOf))
  return places.some((place) => place === null) ? [] : places.filter((place) => place !== null)
}

function placeOf(
  { address, offset, counter, semaphore, arguments: text, machine }: UsdtProbe,
  addressOf: AddressOf,
): MarkPlace | null {
  if (offset === null || (semaphore !== 0n && counter === null)) return null
  return {
    offset,
    counter,
    arguments: splitArguments(text).map((each) =>
      parseArgument(each, machine, (name) => {
        const found = addressOf(name)
        return found === null ? null : found - address
      }),
    ),
  }
}

/** sys/sdt.h of SystemTap has marks with 12 at most. */
const mostArguments = 32

/** `8@%rdi -4@$5`: an operand of the assembler may hold a space. */
function splitArguments(text: string): readonly string[] {
  const trimmed = text.trim()
  return trimmed === '' ? [] : trimmed.split(/\s+(?=-?\d+f?@)/, mostArguments)
}

/** e_machine of the ELF header. */
const x86 = 62

/** `distance`: from the mark to a name of the file. */
export function parseArgument(text: string, machine: number, distance: AddressOf): MarkArgument {
  const [, sign, size, float, operand = ''] = /^(-?)([1248])(f?)@(.*)$/s.exec(text) ?? []
  const unreadable = (why: string) => ({ is: 'unreadable', why }) as const
  const nowhere: string[] = []
  const distanceTo: AddressOf = (name) => {
    const found = distance(name)
    if (found === null) nowhere.push(name)
    return found
  }
  return {
    text,
    size: Number(size ?? 8),
    signed: sign === '-',
    source:
      size === undefined
        ? unreadable('it does not say how wide it is')
        : float !== ''
          ? unreadable('it is a floating-point number, whose registers no tracing program sees')
          : machine !== x86
            ? unreadable('arguments are read on x86-64 alone')
            : (sourceOf(operand.trim(), distanceTo) ??
              unreadable(
                nowhere.length > 0
                  ? `the file does not tell where ${nowhere[0]} lies`
                  : 'it does not say where it lies in a way that is known',
              )),
  }
}

function sourceOf(operand: string, distance: AddressOf): ArgumentSource | null {
  if (operand.startsWith('$')) {
    const value = wordOf(operand.slice(1))
    return value === null ? null : { is: 'constant', value: value.toString() }
  }
  if (operand.startsWith('%')) {
    const part = parts.get(operand.slice(1))
    return part === undefined || part.register === 'ip' ? null : { is: 'register', ...part }
  }
  const [, terms = '', base, index, times] =
    /^([^()%,]*)(?:\((?:%(\w+))?(?:,%(\w+)(?:,([1248]))?)?\))?$/.exec(operand) ?? []
  const isRelative = base === 'rip'
  const held = [isRelative ? undefined : base, index].map((name) =>
    name === undefined ? null : parts.get(name),
  )
  const offset = offsetOf(terms, distance)
  if (offset === null) return null
  // An address by itself, and one that counts from the instruction, are a name's or nobody's.
  if (!offset.isNamed && (isRelative || (base ?? index) === undefined)) return null
  const found: { register: Register; times: number }[] = offset.isNamed
    ? [{ register: 'ip', times: 1 }]
    : []
  for (const [at, part] of held.entries()) {
    if (part === null) continue
    if (part === undefined || part.bytes !== 8 || part.register === 'ip') return null
    found.push({ register: part.register, times: at === 1 ? Number(times ?? 1) : 1 })
  }
  return { is: 'memory', offset: offset.bytes.toString(), registers: found }
}

/** The sum of numbers and of one name at most, as in `-8+table`; a name counts from the mark. */
function offsetOf(
  text: string,
  distance: AddressOf,
): { readonly bytes: bigint; readonly isNamed: boolean } | null {
  if (text === '') return { bytes: 0n, isNamed: false }
  if (!/^[+-]?[\w.$]+(?:[+-][\w.$]+)*$/.test(text)) return null
  let [bytes, isNamed] = [0n, false]
  for (const [term] of text.matchAll(/[+-]?[\w.$]+/g)) {
    const number = wordOf(term)
    const found = number ?? (isNamed || term.startsWith('-') ? null : distance(nameIn(term)))
    if (found === null) return null
    isNamed ||= number === null
    bytes += found
  }
  return inWord(bytes) === null ? null : { bytes, isNamed }
}

const nameIn = (term: string): string => term.replace(/^\+/, '')

/** A number that fits into 64 bits, of either sign. */
function wordOf(text: string): bigint | null {
  const [, sign, digits] = /^([+-]?)(0x[0-9a-f]{1,16}|\d{1,20})$/i.exec(text) ?? []
  if (digits === undefined) return null
  return inWord(sign === '-' ? -BigInt(digits) : BigInt(digits))
}

const inWord = (value: bigint): bigint | null =>
  value >= -(2n ** 63n) && value < 2n ** 64n ? value : null
