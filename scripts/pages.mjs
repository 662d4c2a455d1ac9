// Writes the generated parts of README.md and probes/*/README.md, from what is built. With --check it only says whether they are current.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const { fieldsMarkdown, markdownTable } = await import('../dist/src/schema/docs.js')
const { optionsOf, runOptions } = await import('../dist/src/commands/options.js')
const { optionTable } = await import('../dist/src/commands/option-table.js')

const names = readdirSync('probes', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort()
const probes = await Promise.all(
  names.map(async (name) => (await import(`../dist/probes/${name}/probe.js`)).default),
)

/** Page to its generated parts; a part stands between `<!-- generated: NAME -->` and `<!-- end -->`. */
const pages = {
  'README.md': {
    probes: markdownTable(
      ['Probe', 'Shows'],
      probes.map(({ name, summary }) => [`[${name}](probes/${name}/README.md)`, summary]),
    ),
    options: optionTable(runOptions),
  },
  ...Object.fromEntries(
    probes.map((probe) => [
      `probes/${probe.name}/README.md`,
      {
        options: optionTable(
          optionsOf(probe).filter(({ name }) => !runOptions.some((each) => each.name === name)),
        ),
        fields: fieldsMarkdown(probe),
      },
    ]),
  ),
}

/** The page with this part made anew. Throws when the page has no place for it. */
function withPart(page, path, name, text) {
  const begin = `<!-- generated: ${name} -->\n`
  const from = page.indexOf(begin)
  const to = page.indexOf('<!-- end -->', from)
  if (from === -1 || to === -1) throw new Error(`${path}: no place for the generated ${name}`)
  return `${page.slice(0, from + begin.length)}\n${text.trimEnd()}\n\n${page.slice(to)}`
}

const isCheck = process.argv.includes('--check')
for (const [path, parts] of Object.entries(pages)) {
  try {
    if (!existsSync(path)) throw new Error(`${path} is missing`)
    const current = readFileSync(path, 'utf8')
    const text = Object.entries(parts).reduce(
      (page, [name, part]) => withPart(page, path, name, part),
      current,
    )
    if (text === current) continue
    if (isCheck) throw new Error(`${path} is not current: npm run pages`)
    writeFileSync(path, text)
    console.log(`wrote ${path}`)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
