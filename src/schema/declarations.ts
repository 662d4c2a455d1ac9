import type { FieldSpec, ProbeSpec } from './define.ts'
import { jsonSchema, type JsonSchema } from './json-schema.ts'

/**
 * TypeScript declarations of a probe's events, made from their JSON Schema: an interface for each event type and, under the
 * probe's name, the type of any of them. `groups`: they are groups of events, which these options of the command make. Ends with a
 * line feed.
 */
export function declarations(probe: ProbeSpec, groups: string | null = null): string {
  const any = `${pascal(probe.name)}${groups === null ? 'Event' : 'Group'}`
  const command = `ebpf-run types ${probe.name}${groups === null ? '' : ` ${groups}`}`
  const types = typeNames(any, Object.keys(probe.events))
  const interfaces = Object.entries(probe.events).map(([name, event]) => {
    const schema = schemaOfEvent(probe, name)
    const properties = schema['properties'] as Readonly<Record<string, JsonSchema>>
    const required = new Set(schema['required'] as readonly string[])
    const lines = Object.entries(properties).flatMap(([field, each]) => [
      `  /** ${comment(each['description'])} */`,
      `  readonly ${field}${required.has(field) ? '' : '?'}: ${typeOf(each, event.fields[field])}`,
    ])
    return `/** ${comment(event.doc)} */\nexport interface ${types.get(name)} {\n${lines.join('\n')}\n}\n`
  })
  return [
    `// ${groups === null ? 'Events' : 'Groups'} of ebpf-run ${comment(probe.name)}: made by \`${comment(command)}\`.\n`,
    ...interfaces,
    `/** ${comment(probe.summary)} */\nexport type ${any} = ${[...types.values()].join(' | ')}\n`,
  ].join('\n')
}

/** The schema of one event type. A probe with one has it at the top, others in `$defs`. */
function schemaOfEvent(probe: ProbeSpec, name: string): JsonSchema {
  const all = jsonSchema(probe)
  const several = all['$defs'] as Readonly<Record<string, JsonSchema>> | undefined
  return several?.[name] ?? all
}

/** Event type to the name of its interface; two that would be the same are numbered. */
function typeNames(any: string, events: readonly string[]): ReadonlyMap<string, string> {
  const prefix = any.replace(/Event$/, '')
  const names = new Map<string, string>()
  const taken = new Set([any])
  for (const event of events) {
    const plain = `${prefix}${pascal(event)}`
    let name = plain
    for (let number = 2; taken.has(name); number += 1) name = `${plain}${number}`
    taken.add(name)
    names.set(event, name)
  }
  return names
}

/** `tcp_v4-connect` to `TcpV4Connect`. */
function pascal(name: string): string {
  return name
    .split(/[_-]+/)
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join('')
}

/** What may stand in a comment: one line that does not end it. */
function comment(text: unknown): string {
  return String(text)
    .replaceAll(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replaceAll('*/', '* /')
}

/** The type of a field's values; names of an enum are known better than its schema can say. */
function typeOf(schema: JsonSchema, field: FieldSpec | undefined): string {
  return withNull(namesOf(field) ?? typeOfSchema(schema), schema)
}

function withNull(type: string, schema: JsonSchema): string {
  return [schema['type']].flat().includes('null') ? `${type} | null` : type
}

/** The names of an enum that has a list of them, unless it is too long to be shown. */
function namesOf(field: FieldSpec | undefined): string | null {
  if (field?.kind !== 'enum' || field.names === undefined || field.namesText !== undefined)
    return null
  const names = [...new Set(Object.values(field.names))].map((name) => JSON.stringify(name))
  return [...names, '`UNKNOWN_${number}`'].join(' | ')
}

const plainTypes: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  null: 'null',
}

/** The type of a JSON Schema of ours, without null at the top. */
function typeOfSchema(schema: JsonSchema): string {
  if ('const' in schema) return JSON.stringify(schema['const'])
  if (Array.isArray(schema['enum']))
    return schema['enum']
      .filter((value) => value !== null)
      .map((value) => JSON.stringify(value))
      .join(' | ')
  if (Array.isArray(schema['anyOf']))
    return alternatives(schema['anyOf'].map((each) => typeOfSchema(each as JsonSchema)))
  const types = [schema['type']].flat().map(String)
  return alternatives(
    types.filter((type) => type !== 'null').map((type) => typeOfOne(type, schema)),
  )
}

const alternatives = (types: readonly string[]): string => [...new Set(types)].join(' | ')

function typeOfOne(type: string, schema: JsonSchema): string {
  if (type === 'array') {
    const items = schema['items'] as JsonSchema
    const item = withNull(typeOfSchema(items), items)
    return `readonly ${item.includes(' | ') ? `(${item})` : item}[]`
  }
  if (type === 'object') {
    const required = new Set(schema['required'] as readonly string[])
    const members = Object.entries(schema['properties'] as Readonly<Record<string, JsonSchema>>)
    return `{ ${members
      .map(
        ([name, each]) =>
          `readonly ${name}${required.has(name) ? '' : '?'}: ${withNull(typeOfSchema(each), each)}`,
      )
      .join('; ')} }`
  }
  return plainTypes[type] ?? 'unknown'
}
