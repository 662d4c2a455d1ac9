import type { MarkArgument, MarkPlace } from '../host/usdt.ts'

/** Programs of a mark: places that have their arguments at the same place share one. */
export interface MarkProgram {
  /** C for each argument that is asked for: 64 bits, whatever its width. */
  readonly values: readonly string[]
  readonly places: readonly Place[]
}

type Place = Pick<MarkPlace, 'offset' | 'counter'>

/** The value at an address of the process; where it cannot be read, as where the page is not in memory, its bit in `unread` is set. */
export const readUserMacro = `#define ER_USER(index, type, address) ({ \\
  type er_value = 0; \\
  if (bpf_probe_read_user(&er_value, sizeof(er_value), (const void *)(address)) != 0) unread |= 1ULL << index; \\
  er_value; \\
})`

/** What runs at each place of a mark. Throws for an argument that a place does not have. */
export function markPrograms(
  places: readonly MarkPlace[],
  reads: readonly number[],
): readonly MarkProgram[] {
  const programs = new Map<string, { values: readonly string[]; places: Place[] }>()
  for (const { offset, counter, arguments: all } of places) {
    const values = reads.map((index) => valueInC(all[index], index))
    const key = values.join()
    const program = programs.get(key)
    if (program === undefined) programs.set(key, { values, places: [{ offset, counter }] })
    else program.places.push({ offset, counter })
  }
  return [...programs.values()]
}

function valueInC(argument: MarkArgument | undefined, index: number): string {
  if (argument === undefined || argument.source.is === 'unreadable')
    throw new RangeError(`${argument?.text ?? 'an argument that is not there'} cannot be read`)
  const { source, size, signed } = argument
  const type = `${signed ? 's' : 'u'}${size * 8}`
  if (source.is === 'constant') return `(u64)(${type})${wordInC(source.value)}`
  if (source.is === 'register') {
    const { register, bytes, shift } = source
    return `(u64)(${type})(u${bytes * 8})(ctx->${register} >> ${shift})`
  }
  const terms = source.registers.map(({ register, times }) => `ctx->${register} * ${times}`)
  return `(u64)ER_USER(${index}, ${type}, ${[wordInC(source.offset), ...terms].join(' + ')})`
}

/** 64 bits, two's complement. */
const wordInC = (value: string): string => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}ULL`
