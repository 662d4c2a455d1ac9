import { isNullable, type EventSpec, type FieldSpec, type ProbeSpec } from './define.ts'
import { unitOf, whyNull } from './docs.ts'
import { codeRange, kinds, type Kind } from './kinds.ts'
import { summaryProbe, type SummaryShape } from './summary.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * JSON Schema 2020-12 of a probe's events: closed objects, every field required, null only where a field can be. `part` stands at
 * the end of its `$id`, and tells schemas of one probe apart.
 */
export function jsonSchema(probe: ProbeSpec, part = ''): JsonSchema {
  const head = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:ebpf-run:schema:${probe.name}${part}`,
    title: probe.name,
  }
  const types = Object.entries(probe.events)
  const [only] = types
  if (types.length === 1 && only !== undefined) return { ...head, ...eventSchema(probe, ...only) }
  return {
    ...head,
    description: probe.summary,
    oneOf: types.map(([name]) => ({ $ref: `#/$defs/${name}` })),
    $defs: Object.fromEntries(
      types.map(([name, event]) => [name, eventSchema(probe, name, event)]),
    ),
  }
}

function eventSchema(probe: ProbeSpec, name: string, event: EventSpec): JsonSchema {
  const fields = Object.entries(event.fields)
  return {
    description: event.doc,
    type: 'object',
    properties: {
      event: { const: name, description: 'event type' },
      ...Object.fromEntries(
        fields.map(([field, spec]) => [field, fieldSchema(probe, field, spec)]),
      ),
      ...marks(fields),
    },
    required: [
      'event',
      ...fields.flatMap(([field, { absentIn }]) => (absentIn === undefined ? [field] : [])),
    ],
    additionalProperties: false,
  }
}

/** What a validator should know that the kind's own JSON does not say. */
const refinements: Partial<Record<Kind, (field: FieldSpec) => JsonSchema>> = {
  enum: (field) => {
    if (field.namesFrom !== undefined) return {}
    if (field.flags !== undefined) {
      const flag = `(${[...namedBits(field.flags), 'UNKNOWN_[0-9]+'].join('|')})`
      return { pattern: `^(NONE|${flag}([|]${flag})*)$` }
    }
    const names = Object.values(field.names ?? {})
    const known = names.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`))
    return { pattern: `^(${[...known, 'UNKNOWN_[0-9]+'].join('|')})$`, examples: names }
  },
  // ajv in strict mode refuses a format it was not given, so a pattern stands for date-time
  time: () => ({
    format: undefined,
    pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{9}Z$',
  }),
  family: () => ({ type: 'integer' }),
  result: ({ wide }) => {
    const { properties } = kinds.result.json
    return {
      properties: { ...properties, code: { ...properties.code, ...codeRange(wide === true) } },
    }
  },
}

function namedBits(flags: readonly string[]): readonly string[] {
  return flags.filter((name) => name !== '')
}

function fieldSchema(probe: ProbeSpec, name: string, field: FieldSpec): JsonSchema {
  if (field.always !== undefined)
    return { description: descriptionOf(probe, name, field), const: field.always }
  const base: JsonSchema = { ...kinds[field.kind].json, ...refinements[field.kind]?.(field) }
  const schema = isNullable(probe, name, field) ? orNull(base) : base
  const entries = Object.entries({ description: descriptionOf(probe, name, field), ...schema })
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function orNull(schema: JsonSchema): JsonSchema {
  const values = schema['enum']
  return {
    ...schema,
    type: [schema['type'], 'null'],
    ...(Array.isArray(values) ? { enum: [...values, null] } : {}),
  }
}

function descriptionOf(probe: ProbeSpec, name: string, field: FieldSpec): string {
  const unit = unitOf(field)
  const reasons = whyNull(probe, name).map(
    ({ variant, reason }) => `null in variant ${variant}: ${reason}`,
  )
  const absences = Object.entries(field.absentIn ?? {}).map(
    ([variant, reason]) => `absent in variant ${variant}: ${reason}`,
  )
  return [unit === null ? field.doc : `${field.doc} (${unit})`, ...reasons, ...absences].join('; ')
}

/** How a field stands in `escaped` and `cut`: by name, an item of a list with its index. */
const markPatterns: Partial<Record<Kind, (name: string) => string>> = {
  text: (name) => name,
  path: (name) => name,
  output: (name) => name,
  entries: (name) => name,
  texts: (name) => String.raw`${name}(\[[0-9]+\])?`,
}

function marks(fields: readonly (readonly [string, FieldSpec])[]): JsonSchema {
  const names = fields.flatMap(([name, { kind }]) => markPatterns[kind]?.(name) ?? [])
  if (names.length === 0) return {}
  const items = { type: 'string', pattern: `^(${names.join('|')})$` }
  const list = { type: 'array', items, uniqueItems: true }
  return {
    escaped: {
      description: String.raw`texts with bytes outside UTF-8, shown as \xNN (and their backslashes as \x5c)`,
      ...list,
    },
    cut: { description: "texts and lists that were cut at the kernel's or our limit", ...list },
  }
}

/**
 * JSON Schema 2020-12 of the groups that a run with `--summary` or `--hist` puts out. Its `$id` tells by which fields they are
 * grouped, and what histogram they have.
 */
export function groupSchema(
  probe: ProbeSpec,
  shapes: readonly SummaryShape[],
  histogram: string | null,
): JsonSchema {
  const names = shapes[0]?.keys.map(({ name }) => name) ?? []
  const linear = shapes[0]?.measures.find(({ name }) => name === histogram)?.linear
  const part = [
    ':groups',
    ...(names.length === 0 ? [] : [`:by:${names.join(',')}`]),
    ...(histogram === null ? [] : [`:hist:${histogram}`]),
    ...(linear === undefined ? [] : [`:linear:${linear.min}..${linear.max}/${linear.step}`]),
  ].join('')
  return jsonSchema(summaryProbe(probe, shapes, { histogram, repeats: false }), part)
}
