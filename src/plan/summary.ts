import { EbpfRunError } from '../errors.ts'
import {
  type GroupLayout,
  linearBuckets,
  type LinearRange,
  mapNames,
  noText,
  textCode,
} from '../wire/groups.ts'
import { isMapped, isNoAddress } from './conditions.ts'
import type { Dialect } from './dialect.ts'
import type { Rendered } from './emit.ts'
import { recordPrintf } from './records.ts'

/** How a run aggregates its events in the kernel instead of sending them. */
export interface SummaryPlan {
  readonly groups: readonly GroupLayout[]
  /** Draw the histogram of this field; null: counts, sums and quantiles. */
  readonly histogram: string | null
  /** The figure that groups are ordered by; absent or null: the usual order. */
  readonly sort?: string | null
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
  const keys = group.keys.flatMap(({ name, spec, from, as }, index) => {
    const { expression, printed } = valueOf(from.name)
    if (as === 'text') {
      before.push(internText(printed, index, spec, token, dialect))
      return [`$er_text${index}`]
    }
    if (as === 'address' || as === 'family') {
      if (expression.as !== 'words')
        throw new EbpfRunError({
          code: 'BAD_VALUE',
          message: `--by ${name}: this variant has ${from.name} in a form that no program can group by`,
          found: name,
          remedy: 'group by other fields, or another --variant',
        })
      const words = expression.words.map((word) => `(uint64)${word}`)
      if (as === 'address') return words
      before.push(familyOf(words, index, from.spec.nullAs !== undefined))
      return [`$er_family${index}`]
    }
    return [`(uint64)(${printed})`]
  })
  const key = keyOf(keys)
  const measures = group.measures.map(({ name, spec, linear }, index) => {
    const { printed } = valueOf(name)
    const histogram = mapNames.histogram(token, group.code, index)
    const adds = [
      `${mapNames.sum(token, group.code, index)}${key} = sum(${printed});`,
      ...(linear === undefined
        ? [`${histogram}${key} = hist(${printed});`]
        : linearCount(histogram, keys, printed, linear)),
      ...(countsValues(group) ? [`${mapNames.values(token, group.code, index)} = count();`] : []),
    ].join(' ')
    return spec.nullAs === undefined ? adds : `if (${printed} != ${spec.nullAs}) { ${adds} }`
  })
  return [...before, `${mapNames.count(token, group.code)}${key} = count();`, ...measures].join(' ')
}

const keyOf = (parts: readonly string[]): string =>
  parts.length === 0 ? '' : `[${parts.join(', ')}]`

/** Without keys there are fewer buckets than the smallest map has room for. */
const countsValues = ({ keys }: GroupLayout): boolean => keys.length > 0

/**
 * A linear histogram is a count for each bucket, and not lhist(), which takes its bounds for 32 bits wide (0.11 to 0.23 leave values
 * out beyond, 0.27 aborts) and begins at 0 or above. A value below the range shows as a sign in its distance from the least.
 */
function linearCount(
  map: string,
  keys: readonly string[],
  value: string,
  range: LinearRange,
): readonly string[] {
  const { min, max, step } = range
  const within = linearBuckets(range)
  return [
    `$er_from = (uint64)(${value}) ${min < 0 ? '+' : '-'} (uint64)${Math.abs(min)};`,
    '$er_at = (uint64)0;',
    // Not the conditional operator: 0.23.2 dies of one in the other (SIGSEGV).
    `if ((($er_from >> 63) & 1) == 0) { if ($er_from < ${max - min}) { $er_at = (uint64)($er_from / ${step} + 1); } else { $er_at = (uint64)${within + 1}; } }`,
    `${map}${keyOf([...keys, '$er_at'])} = count();`,
  ]
}

/**
 * 4, 6 or, where all zeros are no address, 0. The words have variables, and each is read once. Not the conditional operator, which may stand
 * in the words: 0.23.2 dies of one in another (SIGSEGV).
 */
function familyOf(words: readonly string[], index: number, isNullable: boolean): string {
  const names = words.map((_, at) => `$er_word${index}_${at}`)
  const family = `$er_family${index}`
  const unless = isNullable ? ` if (${isNoAddress(names)}) { ${family} = (uint64)0; }` : ''
  return `${names.map((name, at) => `${name} = ${words[at]};`).join(' ')} ${family} = (uint64)6; if (${isMapped(names)}) { ${family} = (uint64)4; }${unless}`
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
  // Of no owner: bpftrace 0.11 takes the empty text for a wider key than those that are read.
  if (text === '""') return `${variable} = (uint64)${noText};`
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
  return groups.flatMap((group) => [
    mapNames.count(token, group.code),
    ...group.measures.flatMap((_, index) => [
      mapNames.sum(token, group.code, index),
      mapNames.histogram(token, group.code, index),
      ...(countsValues(group) ? [mapNames.values(token, group.code, index)] : []),
    ]),
  ])
}

/** Maps that hold texts, which must never be printed. */
export function textMapsOf(groups: readonly GroupLayout[], token: string): readonly string[] {
  const keys = groups[0]?.keys ?? []
  return keys.flatMap(({ as }, index) => (as === 'text' ? [mapNames.texts(token, index)] : []))
}
