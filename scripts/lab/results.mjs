// docs/kernels.json holds the last result of every cell; docs/kernels.md is made from it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { guests } from './guests.mjs'
import { kernelsMarkdown } from './table.mjs'

const docs = new URL('../../docs/', import.meta.url)
const dataFile = new URL('kernels.json', docs)
const pageFile = new URL('kernels.md', docs)

/** What a page needs of a row. */
const keep = (row, prove) => ({
  ...Object.fromEntries(
    ['name', 'probe', 'variant', 'expected', 'delivered', 'lost', 'wrong', 'faults', 'missed']
      .concat('account', 'error', 'again', 'pair')
      .filter((field) => row[field] !== undefined)
      .map((field) => [field, row[field]]),
  ),
  bcc: row.bcc ? { ok: row.bcc.ok, text: row.bcc.text } : false,
  proof: prove(row),
})

/** The last results that were written. */
export function readResults() {
  return existsSync(dataFile) ? JSON.parse(readFileSync(dataFile, 'utf8')) : []
}

/** Puts the results in place of those that these cells had before; cells that are no more are dropped. `prove`: of proof.mjs. */
export function writeResults(results, cellsOfPlace, prove) {
  const before = readResults()
  const merged = ['boot', 'native'].flatMap((place) =>
    guests.flatMap(({ name: guest }) => {
      const is = (each) => each.guest === guest && each.place === place
      const [old, now] = [before.find(is), results.find(is)]
      if (old === undefined && now === undefined) return []
      if (now?.unavailable) return [{ guest, place, unavailable: now.unavailable, rows: [] }]
      const rows = cellsOfPlace(place).flatMap(({ name }) => {
        const row = now?.rows.find((each) => each.name === name)
        return row ? [keep(row, prove)] : (old?.rows.filter((each) => each.name === name) ?? [])
      })
      const { kernel, versions } = now ?? old
      return [{ guest, place, kernel, versions, rows }]
    }),
  )
  writeFileSync(dataFile, `${JSON.stringify(merged, null, 1)}\n`)
  writeFileSync(pageFile, kernelsMarkdown(merged, prove))
}
