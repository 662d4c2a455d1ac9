// What a row of docs/kernels.md is a proof of: the template and the workload that it was run with.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'

const root = new URL('../../', import.meta.url)

/** The text of a file of the working tree; null: there is none. */
const readTree = (path) =>
  existsSync(new URL(path, root)) ? readFileSync(new URL(path, root), 'utf8') : null

/** What cells without a probe of the catalogue are made of. */
const madeOnTheSpot = ['scripts/lab/trace-cells.mjs', 'scripts/lab/inside/trace.py']

/**
 * A hash of the workload and of the variant's template with all that it includes; of what is made on the spot, of the lab's own
 * files. Twelve hexadecimal digits. The common code is not in it.
 */
export function proofOf({ probe, variant }, read = readTree) {
  const folder = `probes/${probe}`
  const definition = read(`${folder}/probe.ts`)
  const files =
    definition === null
      ? madeOnTheSpot
      : [`${folder}/workload.py`, ...withIncludes(templatesOf(definition, variant, folder), read)]
  const hash = createHash('sha256')
  for (const path of files) hash.update(`${path}\n${read(path)}\n`)
  return hash.digest('hex').slice(0, 12)
}

/** Paths of the variant's template; without a variant, of all. */
function templatesOf(definition, variant, folder) {
  const all = definition.matchAll(/name: '([a-z]+)',\s+backend: '[a-z]+',\s+template: '([\w.]+)'/g)
  return [...all]
    .filter(([, name]) => !variant || name === variant)
    .map(([, , template]) => `${folder}/${template}`)
}

function withIncludes(paths, read) {
  const found = new Set(paths)
  for (const path of found) {
    const folder = path.slice(0, path.lastIndexOf('/') + 1)
    for (const [, name] of (read(path) ?? '').matchAll(/\{\{include ([\w./-]+)\}\}/g))
      found.add(new URL(name, `file:///${folder}`).pathname.slice(1))
  }
  return found
}
