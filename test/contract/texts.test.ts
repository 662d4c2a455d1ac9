import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { errorCodes, exitCodes } from '../../src/errors.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const skipped = new Set(['node_modules', 'dist', '.git'])

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (skipped.has(entry.name)) return []
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : []
  })
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const pages = filesBelow('.').filter((path) => path.endsWith('.md'))

test('links of all pages lead to files and headings that exist', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(#[^)]*)?\)/g)].flatMap((match) => {
      const target = match[1] === '' ? page : join(page, '..', match[1] ?? '')
      if (!existsSync(join(root, target))) return [`${page}: ${match[0]}`]
      return match[2] === undefined || anchorsOf(read(target)).includes(match[2])
        ? []
        : [`${page}: ${match[0]}`]
    }),
  )

  expect(broken).toEqual([])
})

function anchorsOf(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(
    (match) =>
      `#${(match[1] ?? '')
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-')}`,
  )
}

test('every exit status that the command has stands in the README', () => {
  const table = read('README.md').split('## Exit status')[1] ?? ''
  const missing = Object.values(exitCodes).filter((code) => !table.includes(`\n| ${code} |`))

  expect(missing).toEqual([])
  expect(Object.values(errorCodes).every((code) => Object.values(exitCodes).includes(code))).toBe(
    true,
  )
})

test('the lock file fits package.json and names no address', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/check-lockfile.mjs'], {
    cwd: root,
    encoding: 'utf8',
  })

  expect(stderr).toBe('')
  expect(status).toBe(0)
})

test('the README names only npm scripts that exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = pages
    .flatMap((page) => [...read(page).matchAll(/npm (?:run )?([a-z][a-z:-]*)/g)])
    .map((match) => match[1] ?? '')
    .filter((name) => !['install', 'ci', 'pack', 'link'].includes(name))

  expect(named.filter((name) => !(name in scripts))).toEqual([])
})
