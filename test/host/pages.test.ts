import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type FilePages, openPages, pagesOf } from '../../src/host/pages.ts'

const folder = mkdtempSync(join(tmpdir(), 'ebpf-run-pages-'))
const opened: FilePages[] = []
afterAll(() => {
  for (const each of opened) each.close()
  rmSync(folder, { recursive: true })
})

/** Texts of odd lengths, so that some go over the end of a page, and one is longer than a page. */
const texts = [...Array(2000).keys()].map((at) => 'x'.repeat(at === 1000 ? 9000 : at % 97) + at)
const bytes = Buffer.from(texts.map((text) => `${text}\0`).join(''), 'latin1')

function inFile(content: Buffer): FilePages {
  const path = join(folder, String(opened.length))
  writeFileSync(path, content)
  const file = openPages(path)
  opened.push(file)
  return file
}

test('a file read by pages says the same as its bytes, wherever one looks', () => {
  const [file, buffer] = [inFile(bytes), pagesOf(bytes)]

  expect(file.length).toBe(bytes.length)
  for (let at = 0; at < bytes.length + 10; at += 61) {
    expect(file.text(at)).toBe(buffer.text(at))
    expect(file.word(at)).toBe(buffer.word(at))
    expect(file.bytes(at, at + (at % 9000))).toEqual(bytes.subarray(at, at + (at % 9000)))
  }
  expect(file.bytes(0, 1e9)).toEqual(bytes)
  expect(file.word(bytes.length - 3)).toBe(0)
})

test('an empty file has nothing, and one that is not there throws', () => {
  const file = inFile(Buffer.alloc(0))

  expect([file.length, file.word(0), file.text(0), file.bytes(0, 9).length]).toEqual([0, 0, '', 0])
  expect(() => openPages(join(folder, 'none'))).toThrow(/ENOENT/)
})
