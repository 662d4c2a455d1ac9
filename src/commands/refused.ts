import type { EbpfRunError } from '../errors.ts'

/** Attaches these together for a moment: null where that works, else why not. */
export type Trial<Item> = (items: readonly Item[]) => Promise<EbpfRunError | null>

/**
 * Which of `all`, that could not be attached together for the reason of `error`, cannot be attached by themselves, and why. Tries those
 * first that the error names, else one half and then the other, so that few that are refused among many take few trials.
 */
export async function findRefused<Item extends { readonly name: string }>(
  all: readonly Item[],
  error: EbpfRunError,
  trial: Trial<Item>,
): Promise<ReadonlyMap<Item, EbpfRunError>> {
  const refused = new Map<Item, EbpfRunError>()
  const search = async (items: readonly Item[], why: EbpfRunError): Promise<void> => {
    const [only] = items
    if (only !== undefined && items.length === 1) {
      refused.set(only, why)
      return
    }
    for (const part of split(items, why.detail ?? '')) {
      const next = await trial(part)
      if (next !== null) await search(part, next)
    }
  }
  await search(all, error)
  return refused
}

function split<Item extends { readonly name: string }>(
  items: readonly Item[],
  said: string,
): readonly (readonly Item[])[] {
  const words = new Set(said.match(/[\w.]+/g))
  const named = items.filter(({ name }) => words.has(name))
  const others = items.filter(({ name }) => !words.has(name))
  if (named.length > 0 && others.length > 0) return [named, others]
  const middle = Math.ceil(items.length / 2)
  return [items.slice(0, middle), items.slice(middle)]
}
