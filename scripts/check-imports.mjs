// Holds the direction of imports: docs/architecture.md, "Folders". oxlint's patterns know no exceptions and do not see import().
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

const errors = 'src/errors.ts'

/**
 * For each folder: what it may import besides itself, what it may import for types alone, and which modules of Node.
 * A path that ends in a slash is a folder. `node: null` allows every module.
 */
const layers = {
  'src/errors.ts': { values: [], types: [], node: [], packages: false },
  'src/schema/': { values: [errors], types: [], node: [], packages: false },
  'probes/': { values: ['src/schema/'], types: [], node: [], packages: false },
  'src/catalog/': {
    values: [errors, 'src/schema/', 'probes/'],
    types: ['src/plan/'],
    node: null,
    packages: true,
  },
  'src/attach/': {
    values: [errors, 'src/schema/'],
    types: ['src/host/'],
    node: [],
    packages: false,
  },
  'src/printk/': {
    values: [errors, 'src/schema/'],
    types: ['src/wire/'],
    node: ['node:net'],
    packages: false,
  },
  'src/script/': {
    values: [errors, 'src/schema/'],
    types: [],
    node: ['node:buffer'],
    packages: false,
  },
  // A program of its own, which the session starts.
  'src/reader/': {
    values: ['src/printk/', 'src/wire/layout.ts'],
    types: [],
    node: null,
    packages: false,
  },
  'src/host/': { values: [errors], types: [], node: null, packages: true },
  'src/wire/': {
    values: [errors, 'src/schema/'],
    types: [],
    node: ['node:buffer', 'node:net'],
    packages: true,
  },
  'src/plan/': {
    values: [
      errors,
      'src/schema/',
      'src/wire/layout.ts',
      'src/wire/groups.ts',
      'src/wire/map-names.ts',
    ],
    types: ['src/host/', 'src/catalog/'],
    node: ['node:net'],
    packages: true,
  },
  'src/sinks/': {
    values: [errors, 'src/schema/'],
    types: ['src/wire/'],
    node: null,
    packages: true,
  },
  'src/backends/': {
    values: [errors, 'src/schema/', 'src/wire/'],
    types: ['src/plan/', 'src/host/'],
    node: ['node:crypto'],
    packages: true,
  },
  'src/session/': {
    values: [errors, 'src/schema/', 'src/wire/', 'src/plan/', 'src/backends/'],
    types: ['src/host/'],
    node: null,
    packages: true,
  },
  'src/commands/': {
    values: [errors, 'src/schema/', 'src/catalog/', 'src/host/', 'src/wire/', 'src/plan/'].concat([
      'src/attach/',
      'src/script/',
      'src/printk/',
      'src/sinks/',
      'src/backends/',
      'src/session/',
      'probes/',
    ]),
    types: [],
    node: null,
    packages: true,
  },
  // The two entrances.
  'src/cli.ts': { values: ['src/commands/'], types: [], node: null, packages: false },
  'src/index.ts': { values: ['src/', 'probes/'], types: [], node: null, packages: true },
}

/** Of `node:net`, folders without I/O may use what only looks at text. */
const pureNames = { 'node:net': ['isIP', 'isIPv4', 'isIPv6'] }

/** What is wrong with the imports of one file, as sentences. `path` is relative to the project. */
export function importProblems(path, text) {
  const layerName = Object.keys(layers).find((name) => isIn(path, name))
  if (layerName === undefined)
    return [`${path}: stands in no folder that scripts/check-imports.mjs knows`]
  const layer = layers[layerName]
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  return importsOf(source).flatMap((each) => {
    const said = problem(path, layerName, layer, each)
    const { line } = source.getLineAndCharacterOfPosition(each.position)
    return said === null ? [] : [`${path}:${line + 1}: ${said}`]
  })
}

function problem(path, layerName, layer, { from, isType, names }) {
  if (from === null) return 'import() of a path that only a run knows'
  if (from.startsWith('node:')) {
    if (layer.node === null) return null
    if (!layer.node.includes(from)) return `${layerName} does no I/O: not ${from}`
    const bad = names?.filter((name) => pureNames[from]?.includes(name) === false) ?? []
    return bad.length === 0 ? null : `${layerName} does no I/O: not ${bad.join(', ')} of ${from}`
  }
  if (!from.startsWith('.'))
    return layer.packages ? null : `${layerName} imports no packages: not ${from}`
  const target = normalize(join(dirname(path), from))
  if (isIn(target, layerName) || layer.values.some((name) => isIn(target, name))) return null
  if (!layer.types.some((name) => isIn(target, name)))
    return `${layerName} does not import ${target}`
  return isType ? null : `${layerName} may import ${target} for its types alone`
}

function isIn(path, name) {
  return name.endsWith('/') ? path.startsWith(name) : path === name
}

/** Every import of a file: declarations, re-exports, import() and typeof import(). `names` is null when all are taken. */
function importsOf(source) {
  const found = []
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause
      const named = clause?.namedBindings
      const elements = named && ts.isNamedImports(named) ? named.elements : null
      const isType =
        clause?.isTypeOnly === true ||
        (clause?.name === undefined &&
          elements?.length > 0 &&
          elements.every((each) => each.isTypeOnly))
      const names = elements?.map((each) => (each.propertyName ?? each.name).text)
      found.push({ from: node.moduleSpecifier.text, position: node.getStart(), isType, names })
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      found.push({
        from: node.moduleSpecifier.text,
        position: node.getStart(),
        isType: node.isTypeOnly,
      })
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      const from = argument && ts.isStringLiteralLike(argument) ? argument.text : null
      found.push({ from, position: node.getStart(), isType: false })
    } else if (ts.isImportTypeNode(node)) {
      found.push({ from: node.argument.literal.text, position: node.getStart(), isType: true })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(new URL('..', import.meta.url).pathname)
  const files = ['src', 'probes'].flatMap((folder) =>
    readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  )
  const problems = files.flatMap((path) => importProblems(path, readFileSync(path, 'utf8')))
  for (const each of problems) console.error(each)
  console.log(`${files.length} files, ${problems.length} imports against the direction`)
  process.exitCode = problems.length > 0 ? 1 : 0
}
