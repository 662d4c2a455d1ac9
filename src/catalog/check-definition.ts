import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import { EbpfRunError } from '../errors.ts'
import { definitionSchema } from '../schema/definition.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { wrongReferences } from './references.ts'

/** More problems than these are counted only. */
const shownProblems = 20

/**
 * A definition that came from outside, checked: against its JSON Schema, then that every name in it names something. Throws
 * BAD_DEFINITION with the JSON pointer of each problem.
 */
export function checkDefinition(value: unknown, where: string): ProbeSpec {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true })
  const validate = ajv.compile<ProbeSpec>(definitionSchema)
  if (!validate(value)) throw broken(where, (validate.errors ?? []).map(problemText))
  const wrong = wrongReferences(value)
  if (wrong.length > 0) throw broken(where, wrong)
  return value
}

function problemText({ instancePath, message = 'is wrong', keyword, params }: ErrorObject): string {
  const place = instancePath === '' ? '/' : instancePath
  if (keyword === 'enum')
    return `${place}: must be one of ${(params['allowedValues'] as readonly unknown[]).join(', ')}`
  const what: unknown = params['additionalProperty'] ?? params['propertyName']
  return `${place}: ${message}${what === undefined ? '' : ` (${JSON.stringify(what)})`}`
}

function broken(where: string, problems: readonly string[]): EbpfRunError {
  const [first = 'the definition is wrong', ...others] = [...new Set(problems)]
  const shown = [first, ...others].slice(0, shownProblems)
  const more = 1 + others.length - shown.length
  return new EbpfRunError({
    code: 'BAD_DEFINITION',
    message: `${where}: ${first}`,
    expected: 'a definition as docs/user-probes.md describes it',
    found: [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n'),
    remedy: 'correct each of these, a JSON pointer stands in front of it',
  })
}
