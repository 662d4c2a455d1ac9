// Builds dist/: TypeScript, the templates and the header that stand beside it, and a JSON Schema for each probe.
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { $ } from 'zx'

process.chdir(new URL('..', import.meta.url).pathname)
$.verbose = false

rmSync('dist', { recursive: true, force: true })
await $`node scripts/codegen.mjs`
await $`node scripts/known-formats.mjs`
await $`node_modules/.bin/tsc -p tsconfig.build.json`

/** Every file below a folder that ends so. */
const filesBelow = (folder, ending) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file))

// What runs needs no comments: they are half of the package. Those of the declarations stay, for editors.
for (const file of filesBelow('dist', '.js')) {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { target: 'es2023', module: 'esnext', removeComments: true },
  })
  writeFileSync(file, outputText)
}

/** The declarations that one leads to, itself among them. */
function declarationsOf(file, found = new Set()) {
  if (found.has(file)) return found
  found.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(
    /["'](\.{1,2}\/[^"']+)\.(?:ts|js)["']/g,
  ))
    declarationsOf(join(dirname(file), `${name}.d.ts`), found)
  return found
}

const wanted = declarationsOf('dist/src/index.d.ts')
for (const file of filesBelow('dist', '.d.ts')) if (!wanted.has(file)) rmSync(file)

const isTemplate = (file) => file.endsWith('.bt') || file.endsWith('.bcc.c')
for (const file of readdirSync('probes').filter(isTemplate))
  cpSync(`probes/${file}`, `dist/probes/${file}`)
const probes = readdirSync('probes', { withFileTypes: true }).filter((entry) => entry.isDirectory())
for (const { name } of probes) {
  for (const file of readdirSync(`probes/${name}`).filter(isTemplate)) {
    cpSync(`probes/${name}/${file}`, `dist/probes/${name}/${file}`)
  }
}
cpSync('src/backends/include', 'dist/src/backends/include', { recursive: true })
for (const file of ['driver.py', 'interfaces.py', 'kernel'])
  cpSync(`src/backends/bcc/${file}`, `dist/src/backends/bcc/${file}`, { recursive: true })
chmodSync('dist/src/cli.js', 0o755)

// NAME.json is what `ebpf-run NAME -o ndjson` prints; where those are groups, NAME-events.json is what it prints with --events.
const { groupSchema, jsonSchema } = await import('../dist/src/schema/json-schema.js')
const { defaultShapes } = await import('../dist/src/plan/grouping.js')
mkdirSync('dist/schemas')
for (const { name } of probes) {
  const { default: probe } = await import(`../dist/probes/${name}/probe.js`)
  const shapes = defaultShapes(probe)
  const ofEvents = jsonSchema(probe)
  const schemas =
    shapes === null
      ? { [name]: ofEvents }
      : {
          [name]: groupSchema(probe, shapes, probe.aggregate.histogram ?? null),
          [`${name}-events`]: ofEvents,
        }
  for (const [file, schema] of Object.entries(schemas))
    writeFileSync(`dist/schemas/${file}.json`, `${JSON.stringify(schema, null, 2)}\n`)
}
