import { Ajv2020 } from 'ajv/dist/2020.js'
import { EbpfRunError } from '../errors.ts'
import { definitionSchema } from '../schema/definition.ts'
import type { EventSpec, ProbeSpec } from '../schema/define.ts'
import { kinds } from '../schema/kinds.ts'

/** A definition that came from outside, checked. Throws BAD_DEFINITION with the place of what is wrong. */
export function checkDefinition(value: unknown, where: string): ProbeSpec {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true })
  const validate = ajv.compile<ProbeSpec>(definitionSchema)
  if (!validate(value)) {
    const [first] = validate.errors ?? []
    throw broken(
      where,
      `${first?.instancePath || 'the definition'} ${first?.message ?? 'is wrong'}`,
    )
  }
  for (const [name, event] of Object.entries(value.events)) {
    const wrong = wrongReference(event)
    if (wrong !== null) throw broken(where, `events.${name}: ${wrong}`)
  }
  return value
}

/** A field that is named and not there. */
function wrongReference({ fields, table }: EventSpec): string | null {
  const missing = table.find((each) => !Object.hasOwn(fields, each))
  if (missing !== undefined) return `the table names '${missing}', which is no field`
  for (const [name, { kind, of }] of Object.entries(fields)) {
    const needsSource =
      kinds[kind].travel === 'derived' && ['time', 'family', 'errno'].includes(kind)
    if (needsSource && (of === undefined || !Object.hasOwn(fields, of)))
      return `'${name}' is derived from '${of ?? ''}', which is no field`
  }
  return null
}

function broken(where: string, what: string): EbpfRunError {
  return new EbpfRunError({ code: 'BAD_DEFINITION', message: `${where}: ${what}` })
}
