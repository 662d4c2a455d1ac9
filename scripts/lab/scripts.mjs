// docs/scripts.md: the scripts that bpftrace's own package brings, each run by `ebpf-run script` in each guest.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv from 'ajv/dist/2020.js'
import { $ } from 'zx'
import { bootGuest } from './boot.mjs'
import { guests } from './guests.mjs'
import { ensureImages } from './image.mjs'
import { guestPaths } from './paths.mjs'
import { prepare, twoByTwo, withPacked } from './run.mjs'

const docs = new URL('../../docs/', import.meta.url)
const dataFile = new URL('scripts.json', docs)
const pageFile = new URL('scripts.md', docs)
const timeoutMs = 60 * 60_000

/** Boots the guests that are named, or all, and tries the scripts that are named, or all. */
export async function runScripts(words) {
  const names = words.filter((word) => !word.startsWith('--'))
  const wanted = guests.filter(({ name }) => names.includes(name))
  const cells = names.filter((name) => !guests.some((guest) => guest.name === name))
  const images = await ensureImages(wanted.length > 0 ? wanted : guests, (line) =>
    console.error(line),
  )
  const results = await withPacked((work) =>
    twoByTwo(
      images.map(
        (image) => () =>
          tryIn(
            image,
            work,
            cells.map((name) => ({ name })),
          ),
      ),
    ),
  )
  if (words.includes('--write')) writeScripts(results)
  const failed = results.flatMap(({ guest, unavailable, rows }) =>
    unavailable
      ? [`${guest}: ${unavailable}`]
      : rows.filter(isBroken).map(({ name }) => `${guest}: ${name}`),
  )
  for (const each of failed) console.log(`FAILED ${each}`)
  return failed.length > 0 ? 1 : 0
}

/** What may not be, whatever a script does; one that cannot run has its reason. */
function isBroken({ error, account, lost, faults, invalid }) {
  return error === undefined && (account !== 'exact' || lost !== 0 || faults !== 0 || invalid !== 0)
}

async function tryIn({ guest, ok, reason, kernel, versions }, work, cells) {
  if (!ok) return { guest, unavailable: reason, rows: [] }
  const folder = join(work, `scripts-${guest}`)
  await prepare('boot', folder, work, cells)
  const script =
    'mkdir /tmp/lab && tar -xf /work9/lab.tar -C /tmp/lab && node /tmp/lab/inside/tools.mjs /work9/request.json\n'
  await bootGuest(
    guests.find(({ name }) => name === guest),
    {
      workDir: folder,
      script,
      timeoutMs,
      onLine: (line) => line.startsWith('tool ') && console.log(`${guest}: ${line}`),
    },
  )
  const results = join(folder, 'results')
  const rows = (existsSync(results) ? readdirSync(results) : [])
    .filter((name) => name.endsWith('.tool.json'))
    .map((name) => JSON.parse(readFileSync(join(results, name), 'utf8')))
  for (const row of rows)
    if (row.error === undefined) row.invalid = await invalidOf(guest, row, results)
  return { guest, kernel, versions, total: scriptsOf(guest).length, rows }
}

const folderOf = (guest) =>
  join(guestPaths(guests.find((each) => each.name === guest)).rootfs, 'usr/sbin')

const scriptsOf = (guest) => readdirSync(folderOf(guest)).filter((name) => name.endsWith('.bt'))

/** How many events do not fit the schema that ebpf-run makes of the script: it depends on the script alone. */
async function invalidOf(guest, { name }, results) {
  const file = join(folderOf(guest), name)
  const cli = new URL('../../dist/src/cli.js', import.meta.url).pathname
  const { stdout } = await $({ quiet: true })`node ${cli} schema script ${file}`
  const validate = new Ajv({ strict: false }).compile(JSON.parse(stdout))
  const lines = readFileSync(join(results, `${name}.ndjson`), 'utf8').split('\n')
  return lines.filter((line) => line !== '' && !validate(JSON.parse(line))).length
}

/** Puts the results in place of those that were there before. */
function writeScripts(results) {
  const before = existsSync(dataFile) ? JSON.parse(readFileSync(dataFile, 'utf8')) : []
  const merged = guests.flatMap(({ name }) => {
    const [old, now] = [before, results].map((each) => each.find(({ guest }) => guest === name))
    if (now === undefined || now.unavailable || now.rows.length === 0) return old ?? []
    const kept = (old?.rows ?? []).filter((row) => !now.rows.some((each) => each.name === row.name))
    return [{ ...now, rows: [...now.rows, ...kept].sort((a, b) => a.name.localeCompare(b.name)) }]
  })
  writeFileSync(dataFile, `${JSON.stringify(merged, null, 1)}\n`)
  writeFileSync(pageFile, scriptsMarkdown(merged))
}

const line = (cells) => `| ${cells.join(' | ')} |`
const plain = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replace(/\s+/g, ' ')

/** The table: what each script gave in each guest, or why it could not run. */
export function scriptsMarkdown(results) {
  const shown = ({ types, account, lost, invalid }) =>
    `${Object.entries(types)
      .map(([type, count]) => `${type} ${count}`)
      .join(
        ', ',
      )}; ${account}${lost === 0 ? '' : `, lost ${lost}`}${invalid === 0 ? '' : `, ${invalid} invalid`}`
  return [
    '<!-- Generated by node scripts/lab/cli.mjs scripts --write; do not edit. -->',
    '',
    '# Scripts of others',
    '',
    'The scripts of the bpftrace package of each guest, unchanged, run by `ebpf-run script FILE.bt` for 4 seconds beside some traffic. For',
    'each event type: how many came; all of them fit the JSON Schema of `ebpf-run schema script FILE.bt`. `exact` is the account of the run.',
    'What could not run has the reason that ebpf-run gave. Scripts that are not listed were not tried yet.',
    '',
    ...results.flatMap(({ guest, kernel, versions, total, rows }) => [
      `## ${guest}: Linux ${kernel}, bpftrace ${versions.bpftrace}`,
      '',
      `${rows.length} of ${total} scripts were tried; ${rows.filter(({ error }) => error === undefined).length} ran.`,
      '',
      line(['script', 'events']),
      line(['---', '---']),
      ...rows.map((row) =>
        line([
          `\`${row.name}\``,
          row.error === undefined ? shown(row) : `not run: ${plain(row.error)}`,
        ]),
      ),
      '',
    ]),
  ].join('\n')
}
