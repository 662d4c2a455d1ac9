import type { TextValue } from './texts.ts'

/** Lists that arrive in parts, before their event, from many threads at once. */
export interface Parts {
  /** One part of the thread's list. Index 0 begins a new list; what was left of an older one is dropped. */
  add(thread: number, index: number, item: TextValue): void
  /** The thread's list and nothing left of it; null unless it has exactly `count` parts, all in order. */
  take(thread: number, count: number): readonly TextValue[] | null
}

interface List {
  readonly items: TextValue[]
  isBroken: boolean
}

/** Threads remembered at once, and parts of one list: a lost event leaves its parts behind. */
const limits = { threads: 4096, parts: 1024 }

/** A store of bounded size; the oldest thread's parts go first, and their event becomes a fault. */
export function createParts(): Parts {
  const lists = new Map<number, List>()
  return {
    add(thread, index, item) {
      if (index === 0) {
        lists.delete(thread)
        dropOldest(lists)
        lists.set(thread, { items: [item], isBroken: false })
        return
      }
      const list = lists.get(thread)
      if (!list) return
      if (list.items.length !== index || index >= limits.parts) list.isBroken = true
      else list.items.push(item)
    },
    take(thread, count) {
      const list = lists.get(thread)
      lists.delete(thread)
      if (count === 0) return []
      return list && !list.isBroken && list.items.length === count ? list.items : null
    },
  }
}

function dropOldest(lists: Map<number, List>): void {
  if (lists.size < limits.threads) return
  for (const oldest of lists.keys()) {
    lists.delete(oldest)
    return
  }
}
