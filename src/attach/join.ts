import { EbpfRunError } from '../errors.ts'
import type { Fields, ProbeSpec, VariantSpec } from '../schema/define.ts'
import { eventName } from './define.ts'
import { type AttachPoint, attachPointText } from './point.ts'
import type { MadeProbe } from './request.ts'

/** Each has a program, an event type and counters of its own. */
export const mostPoints = 16

/** What an attach point's events and maps are called among those of others. Throws CONFLICT for one that is named twice. */
export function partNames(
  points: readonly AttachPoint[],
): readonly { readonly event: string; readonly maps: string }[] {
  const texts = points.map(attachPointText)
  const twice = texts.find((text, index) => texts.indexOf(text) !== index)
  if (twice !== undefined)
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `${twice} is named twice`,
      remedy: 'name it once, with all its fields',
    })
  const plain = points.map(eventName)
  const typed = texts.map((text, index) =>
    plain.filter((each) => each === plain[index]).length === 1
      ? (plain[index] ?? '')
      : text.replace(/\W/g, '_').toLowerCase(),
  )
  return typed.map((event, index) => ({
    event: typed.indexOf(event) === index ? event : `${event}_${index + 1}`,
    maps: `_${index + 1}`,
  }))
}

/**
 * One probe of several: an event type for each, and all their programs in one. Its variants are the first of each, the second of
 * each, and so on; where one has no more, its last.
 */
export function joinProbes(parts: readonly MadeProbe[]): MadeProbe {
  const depth = Math.max(...parts.map(({ spec }) => spec.variants.length))
  const variants = Array.from({ length: depth }, (_, index) => joinVariants(parts, index)).filter(
    (joined) => joined !== null,
  )
  const specs = parts.map(({ spec }) => spec)
  const failed = specs.flatMap((spec) => spec.failed ?? []).slice(0, 1)
  const spec: ProbeSpec = {
    name: 'trace',
    summary: specs.map(({ summary }) => summary).join('; '),
    example: `ebpf-run trace ${specs.map((each) => each.example.replace('ebpf-run trace ', '')).join(' ')}`,
    owner: 'task',
    events: Object.assign({}, ...specs.map(({ events }) => events)),
    ...(failed.length > 0 ? { failed } : {}),
    variants: variants.map(({ variant }) => variant),
  }
  return {
    spec,
    templates: Object.fromEntries(
      variants.map(({ variant, template }) => [variant.name, template]),
    ),
  }
}

function joinVariants(
  parts: readonly MadeProbe[],
  index: number,
): { readonly variant: VariantSpec; readonly template: string } | null {
  const chosen = parts.flatMap(({ spec, templates }) => {
    const variant = spec.variants[Math.min(index, spec.variants.length - 1)]
    return variant === undefined ? [] : [{ variant, template: templates[variant.name] ?? '' }]
  })
  const variants = chosen.map(({ variant }) => variant)
  const [backend = 'bpftrace', other] = unique(variants.map((each) => each.backend))
  // A program has one language.
  if (other !== undefined) return null
  const names = unique(variants.map(({ name }) => name))
  const name = names.length === 1 ? (names[0] ?? '') : `mixed${index === 0 ? '' : index + 1}`
  return {
    variant: {
      name,
      backend,
      template: backend === 'bcc' ? 'fallback.bcc.c' : `${name}.bt`,
      needs: unique(variants.flatMap(({ needs }) => needs.map((need) => JSON.stringify(need)))).map(
        (need) => JSON.parse(need),
      ),
      cannotTell: Object.assign({}, ...variants.map(({ cannotTell }) => cannotTell)),
      misses: unique(variants.map(({ misses }) => misses)).join('; '),
      cost: unique(variants.map(({ cost }) => cost)).join('; '),
    },
    template: chosen.map(({ template }) => template).join('\n'),
  }
}

/** A probe with this variant alone, and without the fields that it leaves null. */
export function onlyVariant({ spec, templates }: MadeProbe, { name }: VariantSpec): MadeProbe {
  const variants = spec.variants.filter((each) => each.name === name)
  const untold = Object.keys(variants[0]?.cannotTell ?? {})
  const told = (fields: Fields): Fields =>
    Object.fromEntries(Object.entries(fields).filter(([field]) => !untold.includes(field)))
  const events = Object.entries(spec.events).map(([event, each]) => [
    event,
    {
      ...each,
      fields: told(each.fields),
      table: each.table.filter((field) => !untold.includes(field)),
    },
  ])
  return {
    spec: {
      ...spec,
      events: Object.fromEntries(events),
      variants: variants.map((each) => ({ ...each, cannotTell: {} })),
    },
    templates,
  }
}

const unique = <T>(all: readonly T[]): readonly T[] => [...new Set(all)]
