import { EbpfRunError } from '../errors.ts'
import type { RecordLayout } from './layout.ts'
import { createParts } from './parts.ts'
import type { TextValue } from './texts.ts'

/** An event's lists by field; null for one that the program could not read. */
export type ListItems = Readonly<Record<string, readonly TextValue[] | null>>

/** One part of a list. */
export interface Part {
  readonly thread: number
  /** Place in the list; -1 - place for an item that could not be read. */
  readonly index: number
  readonly text: TextValue
}

const unreadable: TextValue = { value: null, escaped: false, cut: false }

/** Joins the lists of one event type from their parts. */
export interface ListJoin {
  add(list: string, part: Part): void
  /** The lists that belong to an event with these closed values; null when a part is missing. */
  take(values: readonly unknown[]): ListItems | null
}

/** Throws BAD_DEFINITION for an event with lists that has no `tid` to join them by. */
export function createListJoin(own: RecordLayout, parts: readonly RecordLayout[]): ListJoin {
  const position = (name: string) => own.closed.findIndex((field) => field.name === name)
  const threadAt = position('tid')
  const lists = parts.map((layout) => {
    const name = layout.part ?? ''
    const countAt = position(name)
    if (threadAt < 0 || countAt < 0) {
      throw new EbpfRunError({
        code: 'BAD_DEFINITION',
        message: `list ${name} of event ${own.event} needs the event's tid and number of parts`,
      })
    }
    return { name, countAt, parts: createParts() }
  })

  return {
    add(list, { thread, index, text }) {
      const item = index < 0 ? unreadable : text
      lists
        .find(({ name }) => name === list)
        ?.parts.add(thread, index < 0 ? -1 - index : index, item)
    },
    take(values) {
      const taken: Record<string, readonly TextValue[] | null> = {}
      let isWhole = true
      for (const { name, countAt, parts: store } of lists) {
        const count = Number(values[countAt])
        const items = store.take(Number(values[threadAt]), Math.max(count, 0))
        taken[name] = count < 0 ? null : items
        if (!items) isWhole = false
      }
      return isWhole ? taken : null
    },
  }
}
