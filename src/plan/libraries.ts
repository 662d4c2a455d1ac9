import { EbpfRunError } from '../errors.ts'
import type { Need, ProbeSpec, VariantSpec } from '../schema/define.ts'
import { attachablePath } from './needs.ts'
import type { LoadedProbe } from './plan.ts'

/** Files by the names of libraries, as the user gave them. Throws BAD_VALUE for one that cannot stand in an attach point. */
export function parseLibraries(
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  for (const [name, path] of Object.entries(given)) {
    if (attachablePath.test(path)) continue
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--${name} cannot be ${JSON.stringify(path)}`,
      expected: 'an absolute path of letters, digits and ._+-',
      found: path,
      remedy: `for a library of a container: --${name} /proc/PID/root/lib/…`,
    })
  }
  return given
}

/** The probe with its library in these files: a need and a template can name a path in the place of a library's name. */
export function withLibraries(
  probe: LoadedProbe,
  files: Readonly<Record<string, string>>,
): LoadedProbe {
  if (Object.keys(files).length === 0) return probe
  const placed = (need: Need): Need =>
    'library' in need ? { ...need, library: files[need.library] ?? need.library } : need
  const variant = (each: VariantSpec): VariantSpec => ({ ...each, needs: each.needs.map(placed) })
  const template = (text: string): string =>
    text.replace(
      /\{\{(u(?:ret)?probe) (\w+) /g,
      (_, kind: string, library: string) => `{{${kind} ${files[library] ?? library} `,
    )
  const spec: ProbeSpec = { ...probe.spec, variants: probe.spec.variants.map(variant) }
  const templates = Object.fromEntries(
    Object.entries(probe.templates).map(([name, text]) => [name, template(text)]),
  )
  return { ...probe, spec, templates }
}
