// `npm run check`: everything about the source that can be said without running it. Each step runs, whatever the others say.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

// codegen is checked before the build, which writes what codegen makes; the pages need what is built.
const steps = {
  codegen: ['node', 'scripts/codegen.mjs', '--check'],
  formats: ['node', 'scripts/known-formats.mjs', '--check'],
  types: ['node_modules/.bin/tsc', '--noEmit', '-p', 'tsconfig.json'],
  build: ['node', 'scripts/build.mjs'],
  pages: ['node', 'scripts/pages.mjs', '--check'],
  lint: ['node_modules/.bin/oxlint', '--deny-warnings'],
  imports: ['node', 'scripts/check-imports.mjs'],
  format: ['node_modules/.bin/oxfmt', '--check'],
  unused: ['node_modules/.bin/knip', '--no-progress'],
  lockfile: ['node', 'scripts/check-lockfile.mjs'],
}

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !(name in steps))
if (unknown !== undefined) {
  console.error(`no step ${unknown}: ${Object.keys(steps).join(', ')}`)
  process.exit(2)
}
const results = Object.entries(steps)
  .filter(([name]) => wanted.length === 0 || wanted.includes(name))
  .map(([name, [command, ...args]]) => {
    const started = Date.now()
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
    const passed = status === 0
    console.log(
      `${passed ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`,
    )
    if (!passed) console.log(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trimEnd())
    return passed
  })
const failed = results.filter((passed) => !passed).length
console.log(`check: ${results.length - failed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
