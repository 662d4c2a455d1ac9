import { kinds } from './kinds.ts'

const text = { type: 'string', maxLength: 2_000 } as const
const name = { type: 'string', pattern: '^[a-z_][a-z0-9_]{0,63}$' } as const
const number = { type: 'integer' } as const
const nullValue = { anyOf: [number, { type: 'string', pattern: '^[0-9:]{0,20}$' }] } as const

const closed = (properties: Readonly<Record<string, unknown>>, required: readonly string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

const numberNames = {
  type: 'object',
  propertyNames: { pattern: '^-?[0-9]{1,20}$' },
  additionalProperties: { type: 'string', maxLength: 200 },
} as const

const field = closed(
  {
    kind: { enum: Object.keys(kinds) },
    doc: text,
    unit: text,
    nullable: { const: true },
    nullAs: nullValue,
    measure: { const: true },
    bytes: { type: 'integer', minimum: 1, maximum: 4_096 },
    emptyIsNull: { const: true },
    names: numberNames,
    flags: { type: 'array', items: text, maxItems: 64 },
    of: name,
    heading: text,
    width: { type: 'integer', minimum: 1, maximum: 200 },
  },
  ['kind', 'doc'],
)

const event = closed(
  {
    doc: text,
    fields: {
      type: 'object',
      propertyNames: name,
      additionalProperties: field,
      minProperties: 1,
      maxProperties: 200,
    },
    table: { type: 'array', items: name, minItems: 1 },
  },
  ['doc', 'fields', 'table'],
)

const variant = closed(
  {
    name: { type: 'string', pattern: '^[a-z0-9]{1,32}$' },
    backend: { enum: ['bpftrace', 'bcc'] },
    template: { type: 'string', pattern: '^[a-z0-9-]+\\.(?:bt|bcc\\.c)$' },
    needs: { type: 'array', items: { type: 'object' } },
    options: { type: 'object' },
    cannotTell: { type: 'object', propertyNames: name, additionalProperties: text },
    misses: text,
    cost: text,
  },
  ['name', 'backend', 'template', 'needs', 'cannotTell', 'misses', 'cost'],
)

/**
 * The JSON Schema of a probe's definition, for one that comes from outside: a recording, a file of a user. Names become parts of
 * generated source, so their alphabet is closed.
 */
export const definitionSchema = closed(
  {
    name: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,63}$' },
    aliases: { type: 'array', items: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,63}$' } },
    summary: text,
    example: text,
    owner: { enum: ['task', 'socket'] },
    events: {
      type: 'object',
      propertyNames: name,
      additionalProperties: event,
      minProperties: 1,
      maxProperties: 8,
    },
    failed: {
      type: 'array',
      items: closed({ field: name, min: number, max: number }, ['field', 'min', 'max']),
    },
    variants: { type: 'array', items: variant, minItems: 1, maxItems: 16 },
  },
  ['name', 'summary', 'example', 'owner', 'events', 'variants'],
)
