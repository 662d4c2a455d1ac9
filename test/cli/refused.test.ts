import { describe, expect, it } from 'vitest'
import { findRefused } from '../../src/commands/refused.ts'
import { EbpfRunError } from '../../src/errors.ts'

const items = Array.from({ length: 400 }, (_, index) => ({ name: `tcp_f${index}` }))

/** A kernel that refuses these, and says which with `says`; how often it was tried. */
function kernel(bad: ReadonlySet<string>, says: (name: string) => string) {
  const tried = { trials: 0 }
  const errorOf = (some: readonly { readonly name: string }[]) => {
    const first = some.find(({ name }) => bad.has(name))
    return first === undefined
      ? null
      : new EbpfRunError({ code: 'ATTACH_FAILED', message: 'refused', detail: says(first.name) })
  }
  return {
    tried,
    whole: errorOf(items) ?? new EbpfRunError({ code: 'NOT_ATTACHED', message: 'too many' }),
    async trial(some: readonly { readonly name: string }[]) {
      tried.trials += 1
      return errorOf(some)
    },
  }
}

describe('what the kernel refuses of many', () => {
  const bad = new Set(['tcp_f3', 'tcp_f200', 'tcp_f201', 'tcp_f399'])

  it.each([
    ['names it', (name: string) => `ERROR: Error attaching probe: kprobe:${name}`, 8],
    ['says nothing', () => 'exit code 1', 70],
    ['names what is not asked for', () => 'ERROR: kprobe:tcp_f', 70],
  ])('is found exactly, in few trials, where the back-end %s', async (_, says, most) => {
    const { tried, whole, trial } = kernel(bad, says)
    const refused = await findRefused(items, whole, trial)

    expect(new Set([...refused.keys()].map(({ name }) => name))).toEqual(bad)
    expect(tried.trials).toBeLessThanOrEqual(most)
  })

  it('is nothing where only all of them together are refused', async () => {
    const { whole, trial } = kernel(new Set(), String)

    expect(await findRefused(items, whole, trial)).toEqual(new Map())
  })

  it('is all of it where none can be attached', async () => {
    const { whole, trial } = kernel(new Set(items.map(({ name }) => name)), String)

    expect((await findRefused(items, whole, trial)).size).toBe(items.length)
  })
})
