import { EbpfRunError } from '../errors.ts'
import { type GroupLayout, mapNames, textCode } from '../wire/groups.ts'
import type { Dialect } from './dialect.ts'
import type { Rendered } from './emit.ts'
import { recordPrintf } from './records.ts'

/** How a run aggregates its events in the kernel instead of sending them. */
export interface SummaryPlan {
  readonly groups: readonly GroupLayout[]
  /** Draw the histogram of this field; null: counts, sums and quantiles. */
  readonly histogram: string | null
  /** Milliseconds between dumps; null: one at the end. */
  readonly intervalMs: number | null
}

/** What stands in the place of an event's printf: counts and sums under the group's key. */
export function renderAggregate(
  group: GroupLayout,
  valueOf: (name: string) => Rendered,
  context: { readonly token: string; readonly dialect: Dialect },
): string {
  const { token, dialect } = context
  const before: string[] = []
  const keys = group.keys.flatMap(({ name, spec, as }, index) => {
    const { expression, printed } = valueOf(name)
    if (as === 'text') {
      before.push(internText(printed, index, spec, token, dialect))
      return [`$er_text${index}`]
    }
    if (as === 'address') {
      if (expression.as !== 'words')
        throw new EbpfRunError({
          code: 'BAD_VALUE',
          message: `--by: this variant has no address to group by in ${name}`,
          found: name,
          remedy: 'group by other fields, or another --variant',
        })
      return expression.words.map((word) => `(uint64)${word}`)
    }
    return [`(uint64)(${printed})`]
  })
  const key = keys.length === 0 ? '' : `[${keys.join(', ')}]`
  const measures = group.measures.map(({ name, spec }, index) => {
    const { printed } = valueOf(name)
    const adds = `${mapNames.sum(token, group.code, index)}${key} = sum(${printed}); ${mapNames.histogram(token, group.code, index)}${key} = hist(${printed});`
    return spec.nullAs === undefined ? adds : `if (${printed} != ${spec.nullAs}) { ${adds} }`
  })
  return [...before, `${mapNames.count(token, group.code)}${key} = count();`, ...measures].join(' ')
}

/** Gives a text its number; the first that sees it announces it. Two CPUs at once give two numbers, which are one group again. */
function internText(
  text: string,
  index: number,
  spec: GroupLayout['keys'][number]['spec'],
  token: string,
  dialect: Dialect,
): string {
  const variable = `$er_text${index}`
  const entry = `${mapNames.texts(token, index)}[${text}]`
  const announce = recordPrintf(
    {
      code: textCode(index),
      closed: [{ name: 'id', spec: { kind: 'u64', doc: '' } }],
      texts: [{ name: 'text', spec }],
    },
    [variable, text],
    token,
    dialect,
  )
  const number = '(uint64)(((nsecs & 36028797018963967) << 8) + (cpu & 255))'
  return `${variable} = ${number}; if (${entry} == 0) { ${entry} = ${variable}; ${announce} } else { ${variable} = ${entry}; }`
}

/** The maps to print for a dump, in order. */
export function mapsOf(groups: readonly GroupLayout[], token: string): readonly string[] {
  return groups.flatMap(({ code, measures }) => [
    mapNames.count(token, code),
    ...measures.flatMap((_, index) => [
      mapNames.sum(token, code, index),
      mapNames.histogram(token, code, index),
    ]),
  ])
}

/** Maps that hold texts, which must never be printed. */
export function textMapsOf(groups: readonly GroupLayout[], token: string): readonly string[] {
  const keys = groups[0]?.keys ?? []
  return keys.flatMap(({ as }, index) => (as === 'text' ? [mapNames.texts(token, index)] : []))
}
