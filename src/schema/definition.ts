import { kinds } from './kinds.ts'

/** What a probe may be called: a word of the command line and a folder's name, never a path. */
export const probeName = /^[a-z][a-z0-9_-]{0,63}$/

const text = { type: 'string', maxLength: 2_000 } as const
/** No name that an object has by itself, or that every event has beside its fields. */
const name = {
  type: 'string',
  pattern: '^(?!(?:__proto__|constructor|event|escaped|cut)$)[a-z_][a-z0-9_]{0,63}$',
} as const
const word = { type: 'string', pattern: '^[a-z][a-z0-9-]{0,31}$' } as const
const symbol = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_.]{0,255}$' } as const
const tracepoint = { type: 'string', pattern: '^[A-Za-z0-9_]{1,128}:[A-Za-z0-9_]{1,128}$' } as const
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
  additionalProperties: { type: 'string', maxLength: 2_000 },
} as const

const keyPart = { enum: ['number', 'text', 'stack', 'any'] } as const

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
    namesText: text,
    namesFrom: closed({ tracepoint, field: name }, ['tracepoint', 'field']),
    later: { const: true },
    wide: { const: true },
    always: { type: 'string', pattern: '^[ -~]{1,64}$' },
    was: { enum: Object.keys(kinds) },
    flags: { type: 'array', items: text, maxItems: 64 },
    of: name,
    conversion: { enum: ['%d', '%u', '%hd', '%hu', '%hhd', '%hhu', '%c', '%r', '%rx', '%rh'] },
    maps: {
      type: 'object',
      propertyNames: { pattern: '^@[A-Za-z0-9_]{0,255}$' },
      additionalProperties: closed(
        { key: { type: 'array', items: keyPart, maxItems: 32 }, value: keyPart },
        ['key', 'value'],
      ),
    },
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

/** The one thing that a need is about; checkDefinition sees that it is one. */
export const needSubjects = [
  'tracepoint',
  'function',
  'uprobe',
  'usdt',
  'btf',
  'symbol',
  'bpftrace',
  'bcc',
  'linux',
  'headers',
  'hook',
] as const

/** One closed object in place of a choice, so that an error names the property that is wrong. */
const need = {
  ...closed(
    {
      tracepoint,
      fields: { type: 'array', items: symbol, maxItems: 200 },
      raw: { const: true },
      function: symbol,
      by: { enum: ['fentry', 'kprobe'] },
      uprobe: symbol,
      usdt: { type: 'string', pattern: '^[A-Za-z0-9_]{1,128}:[A-Za-z0-9_]{1,128}$' },
      reads: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 31 }, maxItems: 32 },
      library: {
        type: 'string',
        pattern: '^(?:[A-Za-z0-9_+.-]{1,128}|(?:/[A-Za-z0-9_+.-]{1,255}){1,32})$',
      },
      btf: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*(?:[.][A-Za-z_][A-Za-z0-9_]*)+$' },
      symbol,
      bpftrace: { type: 'string', maxLength: 100 },
      bcc: { type: 'string', maxLength: 100 },
      linux: { type: 'string', maxLength: 100 },
      headers: { const: true },
      hook: { enum: ['xdp', 'tcx', 'clsact', 'socket filter'] },
    },
    [],
  ),
  dependentRequired: {
    fields: ['tracepoint'],
    raw: ['tracepoint'],
    function: ['by'],
    by: ['function'],
    uprobe: ['library'],
    usdt: ['library'],
    reads: ['usdt'],
  },
} as const
const needs = { type: 'array', items: need, maxItems: 64 } as const

const variant = closed(
  {
    name: { type: 'string', pattern: '^[a-z0-9]{1,32}$' },
    backend: { enum: ['bpftrace', 'bcc', 'tracefs'] },
    template: { type: 'string', pattern: '^[a-z0-9-]+\\.(?:bt|bcc\\.c|json)$' },
    needs,
    options: {
      type: 'object',
      propertyNames: word,
      additionalProperties: { anyOf: [need, { type: 'boolean' }] },
    },
    without: {
      type: 'array',
      items: closed({ options: { type: 'array', items: word, maxItems: 16 }, says: text }, [
        'options',
        'says',
      ]),
      maxItems: 16,
    },
    switches: {
      type: 'object',
      propertyNames: word,
      additionalProperties: { anyOf: [needs, text] },
    },
    cannotTell: { type: 'object', propertyNames: name, additionalProperties: text },
    notInTask: text,
    neverFails: { type: 'object', propertyNames: name, additionalProperties: text },
    attachPoints: { type: 'integer', minimum: 0, maximum: 4096 },
    misses: text,
    cost: text,
  },
  ['name', 'backend', 'template', 'needs', 'cannotTell', 'misses', 'cost'],
)

const param = closed(
  { doc: text, unit: { const: 'ns' }, default: number, min: number, max: number },
  ['doc', 'default', 'min', 'max'],
)
const names = { type: 'array', items: name, maxItems: 64 } as const
const aSwitch = closed({ doc: text, events: names, fields: names, table: names }, ['doc'])
const aggregate = closed(
  {
    by: names,
    histogram: name,
    totals: { const: true },
    intervalMs: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 },
  },
  ['by'],
)
const ofWords = (additionalProperties: object) => ({
  type: 'object',
  propertyNames: word,
  additionalProperties,
  maxProperties: 16,
})

/**
 * The JSON Schema of a probe's definition, for one that comes from outside: a recording, a file of a user. Names become parts of
 * generated source, so their alphabet is closed.
 */
export const definitionSchema = closed(
  {
    name: { type: 'string', pattern: probeName.source },
    aliases: { type: 'array', items: { type: 'string', pattern: probeName.source } },
    summary: text,
    example: text,
    owner: { enum: ['task', 'socket'] },
    inTask: { const: true },
    onInterfaces: { const: true },
    tcpCounters: { const: true },
    script: closed({ unsafe: { const: true } }, []),
    params: ofWords(param),
    switches: ofWords(aSwitch),
    libraries: ofWords(closed({ doc: text }, ['doc'])),
    aggregate,
    events: {
      type: 'object',
      propertyNames: name,
      additionalProperties: event,
      minProperties: 1,
      maxProperties: 32,
    },
    failed: {
      type: 'array',
      items: closed({ field: name, min: number, max: number }, ['field', 'min', 'max']),
    },
    variants: { type: 'array', items: variant, minItems: 1, maxItems: 16 },
  },
  ['name', 'summary', 'example', 'owner', 'events', 'variants'],
)
