import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { builtin } from '../../probes/index.ts'

vi.setConfig({ testTimeout: 60_000 })

const root = fileURLToPath(new URL('../../', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'ebpf-run-pack-'))
/** An empty folder of somebody who uses the package. */
const consumer = join(work, 'consumer')
const installed = join(consumer, 'node_modules/ebpf-run')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string; readonly mode: number }[]
}
let packed: Packed

function run(command: string, args: readonly string[], cwd = consumer) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  return { status, stdout, stderr }
}

beforeAll(() => {
  mkdirSync(consumer)
  // dist/ was built before the tests; --ignore-scripts keeps pack from building it anew under the other tests.
  const pack = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], root)
  const listed: unknown = JSON.parse(pack.stdout)
  // npm 10 and 11 print a list, later ones an object by name.
  packed = (Array.isArray(listed) ? listed[0] : Object.values(listed as object)[0]) as Packed
  writeFileSync(
    join(consumer, 'package.json'),
    '{"name":"consumer","private":true,"type":"module"}\n',
  )
  const install = run('npm', [
    'install',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    join(work, packed.filename),
  ])
  if (install.status !== 0) throw new Error(`npm install: ${install.stderr}`)
}, 180_000)

afterAll(() => rmSync(work, { recursive: true, force: true }))

test('the tarball holds what runs and what is read, and no sources, tests or recordings', () => {
  const tops = new Set(packed.files.map(({ path }) => path.split('/')[0] ?? ''))
  const strangers = packed.files.filter(({ path }) =>
    /\.test\.|\.ebpfrun$|^dist\/test\//.test(path),
  )

  expect([...tops].filter((top) => top !== 'docs').toSorted()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
    'probes',
  ])
  expect(strangers).toEqual([])
})

test('the tarball stays below 480 kB', () => {
  expect(packed.size).toBeLessThan(480_000)
})

test('every probe comes with its code, templates, page and schema', () => {
  for (const name of Object.keys(builtin)) {
    const templates = readdirSync(join(root, 'probes', name)).filter((file) => file.endsWith('.bt'))
    const files = ['probe.js', ...templates].map((file) => `dist/probes/${name}/${file}`)
    for (const file of [...files, `probes/${name}/README.md`, `dist/schemas/${name}.json`])
      expect(existsSync(join(installed, file)), file).toBe(true)
  }
})

test('npx ebpf-run --version prints the version of the package', () => {
  const { stdout, status } = run('npx', ['ebpf-run', '--version'])

  expect(stdout).toBe(`${manifest.version}\n`)
  expect(status).toBe(0)
})

test('npx ebpf-run list names every probe', () => {
  const { stdout } = run('npx', ['ebpf-run', 'list'])

  for (const name of Object.keys(builtin)) expect(stdout).toMatch(new RegExp(`^${name} `, 'm'))
})

test.each([
  ['tcpconnect', ['tcpconnect']],
  ['tcprtt', ['tcprtt']],
  ['tcprtt-events', ['tcprtt', '--events']],
])('schema file %s holds what ebpf-run schema prints', (name, words) => {
  const { stdout } = run('npx', ['ebpf-run', 'schema', ...words])
  const file = readFileSync(join(installed, `dist/schemas/${name}.json`), 'utf8')

  expect(JSON.parse(stdout)).toEqual(JSON.parse(file))
})

test('nothing that only development needs is installed with it', () => {
  const names = readdirSync(join(consumer, 'node_modules'))

  expect(names).not.toContain('vitest')
  expect(names).not.toContain('typescript')
})

const typed = `
import { EbpfRunError, run, type EventOf, type Builtin } from 'ebpf-run'

type Connect = EventOf<Builtin['tcpconnect']>
const session = run('tcpconnect', { rport: [443, '8000-8100'], signal: AbortSignal.timeout(1000) })
await session.attached
for await (const event of session) {
  const same: Connect = event
  const port: number = event.rport
  const outcome: string | null = event.outcome
  const ktime: string = event.ktime_ns
  // @ts-expect-error: tcpconnect has no such field
  void event.filename
  // @ts-expect-error: lport can be null
  const lport: number = event.lport
  console.log(same, port, outcome, ktime, lport)
}
const summary = await session.stop()
const lost: number | null | undefined = summary.events['connect']?.lost
// @ts-expect-error: there is no such probe
run('tcpconect')
// A probe of the user's has the type that is named.
export const mine = run<{ readonly event: 'hit'; readonly who: number }>('mine')
await using other = run('execsnoop')
export { EbpfRunError, lost, other }
`

test('the types resolve in a small project, and know the fields of each probe', () => {
  writeFileSync(join(consumer, 'typed.ts'), typed)

  const { stdout, status } = run(join(root, 'node_modules/.bin/tsc'), [
    '--noEmit',
    '--strict',
    ...['--module', 'nodenext'],
    ...['--target', 'es2022', '--lib', 'es2022,esnext.disposable'],
    ...['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'],
    'typed.ts',
  ])

  expect(stdout).toBe('')
  expect(status).toBe(0)
})

test('import gives run and the error class', () => {
  const script = `import('ebpf-run').then((all) => console.log(typeof all.run, typeof all.EbpfRunError))`

  expect(run(process.execPath, ['-e', script]).stdout).toBe('function function\n')
})

test('require works as well, because Node loads an ES module without top-level await', () => {
  const script = `console.log(typeof require('ebpf-run').run)`

  expect(run(process.execPath, ['--input-type=commonjs', '-e', script]).stdout).toBe('function\n')
})

test('the schema of a probe can be imported by its name', () => {
  const script = `console.log(require('ebpf-run/schemas/execsnoop.json').$schema)`

  expect(run(process.execPath, ['--input-type=commonjs', '-e', script]).stdout).toBe(
    'https://json-schema.org/draft/2020-12/schema\n',
  )
})

test('what is not exported cannot be imported', () => {
  const { stderr, status } = run(process.execPath, ['-e', `require('ebpf-run/dist/src/cli.js')`])

  expect(status).not.toBe(0)
  expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED')
})
