/*
 * The process that is traced: one-byte writes to /dev/null, `count` of them, with a pause after each `burst`. Every
 * message of the parent (count, burst, pauseMs) is one such run, so nothing happens before the parent says so.
 */
import { openSync, writeSync } from 'node:fs'

const fd = openSync('/dev/null', 'w')
const byte = Buffer.from('x')
const nothing = new Int32Array(new SharedArrayBuffer(4))

process.on('message', ({ count, burst, pauseMs }) => {
  const from = process.hrtime.bigint()
  for (let done = 1; done <= count; done += 1) {
    writeSync(fd, byte)
    if (pauseMs > 0 && done % burst === 0) Atomics.wait(nothing, 0, 0, pauseMs)
  }
  process.send({ seconds: Number(process.hrtime.bigint() - from) / 1e9 })
})
process.send({ fd })
