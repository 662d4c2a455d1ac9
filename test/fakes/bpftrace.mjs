// A bpftrace that attaches nothing: it reads the program that ebpf-run made, takes the token and the record formats from it, and
// plays a list of steps from a file. make-fake.ts puts it on PATH and describes the steps.
import { spawn } from 'node:child_process'
import { readFileSync, writeSync } from 'node:fs'

const steps = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const source = process.argv.at(-1) === '-' ? 0 : process.argv.at(-1)
const ignored = new Set()
let program = ''
let token = ''
let emitted = 0
let marks = 0
let isGateClosed = false
let wake = () => {}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGURG', 'SIGHUP']) {
  process.on(signal, () => onSignal(signal))
}

for (const step of steps) await play(step)
process.exit(0)

async function play(step) {
  const { do: what, times = 1 } = step
  switch (what) {
    case 'read':
      program = readFileSync(source, 'utf8')
      token = /printf\("([0-9a-f]{16})8\\t/.exec(program)?.[1] ?? ''
      if (token === '') throw new Error('no token in the program')
      return
    case 'out':
      return write(
        1,
        step.text.replaceAll('{T}', token).repeat(times),
        step.raw ? 'latin1' : 'utf8',
      )
    case 'err':
      for (let i = 0; i < times; i += 1) write(2, step.text)
      return
    case 'beat':
      return write(1, `${token}8\t${ktime()}${token}\n`)
    case 'counts':
      return write(1, counts())
    case 'events':
      return events(step)
    case 'ignore':
      return void step.signals.forEach((signal) => ignored.add(signal))
    case 'wait':
      return pause(step.ms)
    case 'serve':
      for (;;) {
        await play({ do: 'beat' })
        write(1, counts())
        await pause(250)
      }
    case 'hang':
      for (;;) await pause(1000)
    case 'fork':
      spawn('sleep', ['600'], { stdio: 'inherit' })
      return pause(100)
    case 'exit':
      return process.exit(step.code)
    case 'kill':
      process.removeAllListeners(step.signal)
      process.kill(process.pid, step.signal)
      return pause(10_000)
    default:
      throw new Error(`no step ${what}`)
  }
}

/** Events in batches; between two batches signals are heard. A closed gate emits nothing. */
async function events({ count = 1, lose = 0, batch = 1000, texts = ['curl'], everyMs = 0 }) {
  const make = recordMaker(texts)
  for (let left = count; left > 0 && !isGateClosed; left -= batch) {
    const size = Math.min(batch, left)
    let bytes = ''
    for (let i = 0; i < size; i += 1) bytes += make()
    write(1, bytes, 'latin1')
    emitted += size
    await pause(everyMs)
  }
  emitted += lose
}

/** Makes records of code 0 in the program's own format: the clock first, then 1 for a number and an address for a text. */
function recordMaker(texts) {
  const format = new RegExp(`printf\\("${token}0((?:\\\\t%[a-z]+)*)`).exec(program)?.[1] ?? ''
  const conversions = format.split('\\t').slice(1)
  const closed = conversions.slice(1).map((each) => (each === '%s' ? '\t192.0.2.7' : '\t1'))
  const rest = `${closed.join('')}${texts.map((text) => `${token}\t${text}`).join('')}${token}\n`
  return () => `${token}0\t${ktime()}${rest}`
}

function counts() {
  marks += 1
  const own = emitted > 0 ? `@n_${token}_0_0: ${emitted}\n` : ''
  return `${own}@z_${token}: ${marks}\n`
}

function onSignal(signal) {
  if (ignored.has(signal)) return
  if (signal === 'SIGURG') {
    isGateClosed = true
    write(1, `${token}9\t${ktime()}${token}\n${counts()}`)
    return wake()
  }
  if (signal === 'SIGHUP') process.exit(129)
  write(1, `\n\n${counts()}`)
  process.exit(0)
}

function ktime() {
  return process.hrtime.bigint()
}

function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    wake = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}

/** Blocks as bpftrace does when nobody reads, and dies of a reader that is gone. */
function write(fd, text, encoding = 'utf8') {
  const bytes = Buffer.from(text, encoding)
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done)
    } catch (error) {
      if (error.code !== 'EAGAIN') process.exit(141)
    }
  }
}
