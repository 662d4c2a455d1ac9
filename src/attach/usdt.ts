import type { MarkArgument, MarkPlace } from '../host/usdt.ts'

/** A mark that a program's author left (USDT). */
export interface Mark {
  readonly arguments: readonly UsdtArgument[]
  /** The program gets there only while a counter of its own is raised. */
  readonly hasCounter: boolean
}

/** An argument of a mark, wherever the mark stands. */
export interface UsdtArgument {
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number
  readonly signed: boolean
  /** It lies in memory at one of the places at least, which may not be there to be read. */
  readonly inMemory: boolean
  /** Why it has no value; null where it has one. */
  readonly lack: string | null
}

/** The mark that stands at these places. Each may have its arguments elsewhere, and in another width. */
export function markOf(places: readonly MarkPlace[]): Mark {
  const most = Math.max(0, ...places.map(({ arguments: each }) => each.length))
  return {
    arguments: Array.from({ length: most }, (_, index) =>
      argumentOf(places.map(({ arguments: each }) => each[index])),
    ),
    hasCounter: places.some(({ counter }) => counter !== null),
  }
}

function argumentOf(places: readonly (MarkArgument | undefined)[]): UsdtArgument {
  const [first] = places
  const isSame = places.every(
    (each) => each?.size === first?.size && each?.signed === first?.signed,
  )
  const [lack = null] = places.flatMap((each) =>
    each === undefined
      ? ['the mark has it at some of its places alone']
      : each.source.is === 'unreadable'
        ? [`${each.text}: ${each.source.why}`]
        : [],
  )
  return {
    // What holds them all.
    size: isSame ? (first?.size ?? 8) : 8,
    signed: places.some((each) => each?.signed),
    inMemory: places.some((each) => each?.source.is === 'memory'),
    lack,
  }
}
