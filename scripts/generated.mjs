// A file that is made from others: written where it is out of date, or checked.
import { readFileSync, writeFileSync } from 'node:fs'

/** Writes `text` to `target`; with --check among our words it says so instead, and the exit status is 1. `name`: for people. */
export function putGenerated(target, name, text) {
  if (read(target) === text) return
  if (!process.argv.includes('--check')) return writeFileSync(target, text)
  console.error(`${name} is not current: npm run codegen`)
  process.exitCode = 1
}

function read(target) {
  try {
    return readFileSync(target, 'utf8')
  } catch {
    return ''
  }
}
