import { join } from 'node:path'
import { EbpfRunError } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { checkDefinition } from './check-definition.ts'
import { includesOf, withIncludes } from './includes.ts'
import { readProbeFile, realFolder, trustedFolder } from './trust.ts'
import type { UserProbes } from './user-folder.ts'

/** A control character would act on the terminal of whoever reads a text of the definition. */
const control = /[\u0000-\u001f\u007f-\u009f]/

/** Definition and templates of a probe in the user's folder. Throws UNTRUSTED_PROBE, BAD_DEFINITION. */
export function loadUserProbe(name: string, { folder, isAllowed }: UserProbes): LoadedProbe {
  const isStrict = process.geteuid?.() === 0 && !isAllowed
  const asked = join(folder, name)
  const real = isStrict ? trustedFolder(asked) : realFolder(asked)
  const read = (file: string): string => readProbeFile(real, file, isStrict)
  const where = join(asked, 'probe.json')
  const spec = checkUserDefinition(parse(read('probe.json'), where), name, where)
  const templates = spec.variants.map(
    (variant) => [variant.name, templateOf(variant.template, read, asked)] as const,
  )
  return { spec, templates: Object.fromEntries(templates) }
}

/** The definition of a probe of this name. Throws BAD_DEFINITION. */
export function checkUserDefinition(value: unknown, name: string, where: string): ProbeSpec {
  const spec = checkDefinition(value, where)
  const wrong = [
    ...(spec.name === name ? [] : [`/name: '${name}' was expected, like the folder`]),
    ...(spec.aliases === undefined ? [] : ['/aliases: a probe of your own has none']),
    ...(spec.script === undefined ? [] : ['/script: that of ebpf-run script alone']),
    ...spec.variants.flatMap(({ backend }, index) =>
      backend === 'tracefs' ? [`/variants/${index}/backend: 'tracefs' is that of pipe alone`] : [],
    ),
    ...controlsIn(spec, ''),
  ]
  const [first] = wrong
  if (first === undefined) return spec
  throw new EbpfRunError({
    code: 'BAD_DEFINITION',
    message: `${where}: ${first}`,
    found: wrong.join('\n'),
    remedy: 'correct each of these, a JSON pointer stands in front of it',
  })
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new EbpfRunError({
      code: 'BAD_DEFINITION',
      message: `${where} is no JSON`,
      found: error instanceof Error ? error.message : String(error),
      remedy: `python3 -m json.tool < ${where}   shows the place`,
      cause: error,
    })
  }
}

function controlsIn(value: unknown, place: string): readonly string[] {
  if (typeof value === 'string') return control.test(value) ? [`${place}: a control character`] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) => controlsIn(each, `${place}/${key}`))
}

/** A template with what it includes, all from the probe's own folder. Throws BAD_DEFINITION for a circle. */
function templateOf(
  file: string,
  read: (file: string) => string,
  folder: string,
  above: readonly string[] = [],
): string {
  const where = join(folder, file)
  const bad = (what: string) =>
    new EbpfRunError({ code: 'BAD_DEFINITION', message: `${where} ${what}` })
  if (above.includes(file)) throw bad('includes itself')
  const source = read(file)
  const names = includesOf(source, where)
  const outside = names.find((name) => name.startsWith('../'))
  if (outside !== undefined) throw bad(`includes ${outside}, which is outside of its folder`)
  const files = names.map(
    (name) => [name, templateOf(name, read, folder, [...above, file])] as const,
  )
  return withIncludes(source, Object.fromEntries(files))
}
