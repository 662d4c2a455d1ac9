import type { TracepointField } from './facts.ts'
import type { KnownFormat } from './known-formats.ts'

/** How the format of a tracepoint differs in another kernel. */
export interface OtherKernel {
  readonly kernel: string
  /** Fields that are here and not there. */
  readonly missing: readonly string[]
  /** Fields that are there and not here. */
  readonly added: readonly string[]
  readonly changed: readonly {
    readonly name: string
    readonly here: string
    readonly there: string
  }[]
}

/** How a tracepoint's known formats of other kernels differ from what it has here, oldest first. `release`: of this kernel. */
export function otherKernels(
  known: readonly KnownFormat[],
  fields: readonly TracepointField[],
  release: string,
): readonly OtherKernel[] {
  const here = new Map(fields.map((field) => [field.name, typeOf(field)]))
  return known
    .flatMap(({ kernels, fields: there }) =>
      kernels
        .filter((kernel) => !isRelease(release, kernel))
        .map((kernel) => ({ kernel, ...difference(here, new Map(Object.entries(there))) })),
    )
    .sort((a, b) => a.kernel.localeCompare(b.kernel, 'en', { numeric: true }))
}

/** `5.10 has no err; 6.1, 6.12 have no family, err; 7.2 has the same`. */
export function otherKernelsText(others: readonly OtherKernel[]): string {
  const byText = new Map<string, readonly string[]>()
  for (const other of others) {
    const text = differenceText(other)
    byText.set(text, [...(byText.get(text) ?? []), other.kernel])
  }
  return [...byText]
    .map(
      ([text, kernels]) => `${kernels.join(', ')} ${kernels.length > 1 ? 'have' : 'has'} ${text}`,
    )
    .join('; ')
}

/** As the table of fields spells it. */
export const typeOf = ({ type, length }: TracepointField): string =>
  length > 0 ? `${type}[${length}]` : type

/** `6.1.0-50-amd64` is 6.1, and 6.18 is not. */
function isRelease(release: string, kernel: string): boolean {
  return (
    release === kernel || (release.startsWith(kernel) && !/\d/.test(release[kernel.length] ?? ''))
  )
}

function difference(
  here: ReadonlyMap<string, string>,
  there: ReadonlyMap<string, string>,
): Omit<OtherKernel, 'kernel'> {
  return {
    missing: [...here.keys()].filter((name) => !there.has(name)),
    added: [...there.keys()].filter((name) => !here.has(name)),
    changed: [...here].flatMap(([name, type]) => {
      const other = there.get(name)
      return other === undefined || other === type ? [] : [{ name, here: type, there: other }]
    }),
  }
}

function differenceText({ missing, added, changed }: OtherKernel): string {
  const parts = [
    ...(missing.length > 0 ? [`no ${missing.join(', ')}`] : []),
    ...(added.length > 0 ? [`also ${added.join(', ')}`] : []),
    ...changed.map(({ name, there }) => `${name} as ${there}`),
  ]
  return parts.length > 0 ? parts.join(' and ') : 'the same'
}
