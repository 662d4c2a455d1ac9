import { expect, test } from 'vitest'
import { closeSync, writeSync } from 'node:fs'
import { nextRest, openPipe, readPaced } from '../../src/session/pipe.ts'

test.each([
  ['what half fills the pipe goes on as it is', 4, 32_768, 4],
  ['a full pipe is read sooner', 4, 65_536, 2],
  ['little is waited for, at most twice as long', 4, 100, 8],
  ['between them in proportion', 3, 49_152, 2],
  ['never less than a millisecond', 1, 65_536, 1],
  ['never more than 20', 20, 1, 20],
])('%s', (_, restMs, size, next) => {
  expect(nextRest(restMs, size)).toBe(next)
})

test('a steady stream ends at half full chunks', () => {
  const bytesAMs = 6_000
  let restMs = 20
  for (let round = 0; round < 20; round++)
    restMs = nextRest(restMs, Math.min(65_536, restMs * bytesAMs))
  expect(restMs * bytesAMs).toBeCloseTo(32_768, 0)
})

test('every byte comes in order, and the end after them', async () => {
  const pipe = openPipe()
  if (pipe === null) throw new Error('no pipe')
  const reader = readPaced(pipe.readEnd)
  const taken: Buffer[] = []
  const ended = new Promise<void>((resolve) => reader.on('end', resolve))
  reader.on('data', (chunk) => taken.push(Buffer.copyBytesFrom(chunk)))
  const sent = Buffer.concat(
    Array.from({ length: 300 }, (_, at) => Buffer.alloc(150, 33 + (at % 90))),
  )
  for (let at = 0; at < sent.length; at += 150)
    writeSync(pipe.writeEnd, sent.subarray(at, at + 150))
  closeSync(pipe.writeEnd)
  await ended
  expect(Buffer.concat(taken).equals(sent)).toBe(true)
})
