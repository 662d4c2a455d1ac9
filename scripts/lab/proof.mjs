// What a row of docs/kernels.md is a proof of: the template and the workload that it was run with.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { traceCells } from './trace-cells.mjs'

const root = new URL('../../', import.meta.url)

/** The text of a file of the working tree; null: there is none. */
const readTree = (path) =>
  existsSync(new URL(path, root)) ? readFileSync(new URL(path, root), 'utf8') : null

/**
 * Makes the function that hashes what a row proves, to twelve hexadecimal digits: the workload, and the template with all that it
 * includes, without comments and without the parts of switches and options that are off in the cell. Of what is made on the spot:
 * its words and its workload. The common code is not in it.
 */
export async function loadProver(definitions, read = readTree) {
  // Of the built package, as the definitions.
  const { parseTemplate } = await import(new URL('dist/src/plan/template.js', root).href)
  const made = new Map(traceCells('boot').map((cell) => [cell.name, cell]))
  return (row) => {
    const definition = definitions.find(({ name }) => name === row.probe)
    const cell = made.get(row.name)
    const parts =
      cell === undefined ? partsOf(definition, row, read, parseTemplate) : partsOfMade(cell, read)
    const hash = createHash('sha256')
    for (const part of parts) hash.update(`${part}\0`)
    return hash.digest('hex').slice(0, 12)
  }
}

/** The script that made the traffic. */
function workloadOf(name, folder) {
  const [, own] = /-(owners|reuse)-/.exec(name) ?? []
  return own === undefined ? `${folder}/workload.py` : `scripts/lab/inside/${own}.py`
}

function partsOf(definition, { name, variant, pair = [variant] }, read, parse) {
  const folder = `probes/${definition.name}`
  const { switches = {} } = definition
  const on = Object.keys(switches).filter((each) => name.endsWith(`-${each}`))
  const variants = definition.variants.filter((each) => pair.includes(each.name))
  const templates = (variants.length > 0 ? variants : definition.variants).map((each) =>
    shown(parse(whole(`${folder}/${each.template}`, read), folder), {
      ...Object.fromEntries(
        Object.entries(each.options ?? {}).filter(([, value]) => typeof value === 'boolean'),
      ),
      ...Object.fromEntries(Object.keys(switches).map((each) => [each, on.includes(each)])),
    }),
  )
  return [read(workloadOf(name, folder)), ...templates.map(withoutComments)]
}

function partsOfMade({ name, probe, command, makes, asked, backend, workload, answers }, read) {
  const own = answers === 'killed' ? 'killed' : 'answers'
  const script = `scripts/lab/inside/${workload?.script ?? `${own}.mjs`}`
  return [JSON.stringify({ name, probe, command, makes, asked, backend }), read(script)]
}

/** A template with the files that it includes in their places. */
function whole(path, read) {
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  return (read(path) ?? '').replace(
    /^[ \t]*\{\{\s*include\s+([^\s}]+)\s*\}\}[ \t]*\n/gm,
    (_, name) => whole(new URL(name, `file:///${folder}`).pathname.slice(1), read),
  )
}

/** Its text, without the parts that are known to be off. */
function shown(nodes, known) {
  return nodes
    .map((node) => {
      if (node.is === 'text') return node.text
      if (node.is === 'directive') return `{{${node.name} ${node.rest}}}`
      const { condition, then, otherwise } = node
      if (Object.hasOwn(known, condition)) return shown(known[condition] ? then : otherwise, known)
      const [one, other] = [then, otherwise].map((each) => shown(each, known))
      return `{{when ${condition}}}${one}{{else}}${other}{{end}}`
    })
    .join('')
}

function withoutComments(text) {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('//')).join('\n')
}
