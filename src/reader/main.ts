/*
 * The child of `ebpf-run pipe`: reads bpf_printk from a trace instance of its own, and prints it as records with the run's token,
 * as bpftrace and bcc's driver do it. Its request, a line of JSON, comes on standard input (src/plan/tracefs-plan.ts).
 *
 * SIGURG closes the gate: nothing is written after it, and the end record follows with the final counts. SIGINT and SIGTERM end.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeSync } from 'node:fs'
import { endianness } from 'node:os'
import { createMatcher } from '../printk/match.ts'
import type { Piece } from '../printk/pattern.ts'
import { type Printk, readPrintk, recordLine, type WireShape } from '../printk/record.ts'
import { recordsOf } from '../printk/ring.ts'
import { controlCodes } from '../wire/layout.ts'
import { type Instance, openInstance } from './instance.ts'
import { createTasks } from './tasks.ts'

interface Request {
  readonly token: string
  readonly beat_ms: number
  readonly kilobytes_of_cpu: number
  /** /proc counts as the kernel does. */
  readonly has_proc: boolean
  readonly records: readonly WireShape[]
  readonly pattern: readonly Piece[] | null
}

/** Pages of one CPU that are read before the others have their turn and signals are heard. */
const pagesOfTurn = 64
/** Milliseconds between two looks: short while much comes. */
const rest = { least: 2, most: 20 } as const
/** Turns without a record after which what the kernel says to be waiting is given up. */
const idleTurns = 100
/** What became of stdout when nobody reads it: the run is over. */
const brokenPipe = 141

const nowNs = (): bigint => process.hrtime.bigint()

function giveUp(what: string, error: unknown): never {
  const text = error instanceof Error ? error.message : String(error)
  writeSync(2, `printk reader: ${what}: ${text.replace(/\s+/g, ' ')}\n`)
  process.exit(1)
}

async function main(): Promise<void> {
  const request = JSON.parse(readFileSync(0, 'utf8')) as Request
  if (endianness() !== 'LE') giveUp('host', 'the pages of a big-endian machine cannot be read')
  const state = { isClosing: false, isEnding: false }
  process.on('SIGURG', () => void (state.isClosing = true))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => void (state.isEnding = true))
  let instance: Instance
  try {
    instance = await openInstance(
      `ebpf-run-${process.pid}-${randomBytes(4).toString('hex')}`,
      request.kilobytes_of_cpu,
      () => {
        instance.remove()
        giveUp('guard', 'the process that takes the trace instance out was killed')
      },
    )
  } catch (error) {
    giveUp('instance', error)
  }
  let status = 1
  try {
    instance.begin()
    status = await serve(request, instance, state)
  } catch (error) {
    writeSync(2, `printk reader: read: ${error instanceof Error ? error.message : String(error)}\n`)
  } finally {
    instance.remove()
  }
  process.exit(status)
}

/** Reads and prints until it is told to end; returns the exit status. */
async function serve(
  request: Request,
  instance: Instance,
  state: { isClosing: boolean; isEnding: boolean },
): Promise<number> {
  const { token } = request
  const { cpus, format, page: pageFormat } = instance
  const tasks = createTasks(request.has_proc, instance.savedNames)
  const match = request.pattern === null ? null : createMatcher(request.pattern)
  const names = (request.pattern ?? []).flatMap((piece) => ('name' in piece ? [piece.name] : []))
  const [matched, unmatched] = ['printk', 'unmatched'].map((event) =>
    request.records.find((shape) => shape.event === event),
  )
  if (matched === undefined) throw new Error('no records in the request')
  const page = Buffer.alloc(pageFormat.bytes)
  let isBroken = false
  let held: Printk[] = []
  const counts = { read: 0, unmatched: 0, marks: 0 }

  const write = (text: string): void => {
    const bytes = Buffer.from(text, 'latin1')
    try {
      for (let at = 0; at < bytes.length && !isBroken;) at += writeSync(1, bytes, at)
    } catch {
      isBroken = true
    }
  }
  const control = (code: string): string => `${token}${code}\t${nowNs()}${token}\n`
  const countLines = (): string => {
    counts.marks += 1
    const emitted = cpus.reduce((sum, cpu) => sum + cpu.stats().emitted, 0)
    return [
      // What was lost cannot be said to match or not: it stands with what matched.
      `@n_${token}_${matched.code}_0: ${emitted - counts.unmatched}`,
      ...(unmatched === undefined ? [] : [`@n_${token}_${unmatched.code}_0: ${counts.unmatched}`]),
      `@z_${token}: ${counts.marks}`,
      '',
    ].join('\n')
  }
  const lineOf = (printk: Printk): string => {
    const values = match === null ? [] : match(printk.message)
    const task = tasks.of(printk.tid)
    if (values !== null || unmatched === undefined)
      return recordLine(
        token,
        matched,
        printk,
        task,
        new Map(names.map((name, at) => [name, values?.[at] ?? ''])),
      )
    counts.unmatched += 1
    return recordLine(token, unmatched, printk, task, new Map())
  }
  /** Prints what is held and was written before `until`, in the order of time. What came after it may still be overtaken. */
  const print = (until: bigint | null): void => {
    held.sort((a, b) => (a.ktime < b.ktime ? -1 : a.ktime > b.ktime ? 1 : 0))
    const at = until === null ? -1 : held.findIndex(({ ktime }) => ktime > until)
    const ready = at === -1 ? held : held.slice(0, at)
    held = at === -1 ? [] : held.slice(at)
    if (ready.length === 0) return
    tasks.nextBatch()
    write(ready.map(lineOf).join(''))
  }
  /** One turn through all CPUs; false when there was nothing. */
  const turn = (): boolean => {
    const until = nowNs()
    let found = 0
    for (const cpu of cpus) {
      for (let pages = 0; pages < pagesOfTurn && cpu.read(page); pages++) {
        for (const { ktime, data } of recordsOf(page, pageFormat)) {
          const printk = readPrintk(format, cpu.number, ktime, data)
          if (printk === null) continue
          held.push(printk)
          found += 1
        }
      }
    }
    counts.read += found
    print(until)
    return found > 0
  }
  /** Reads until nothing is left in the buffers, and prints all of it. */
  const readAll = (): void => {
    for (let idle = 0; idle < idleTurns && !isBroken;) {
      if (turn()) idle = 0
      else if (cpus.every((cpu) => cpu.stats().waiting === 0)) break
      else idle += 1
    }
    print(null)
  }
  let nextBeat = 0n
  const beat = (): void => {
    nextBeat = nowNs() + BigInt(request.beat_ms) * 1_000_000n
    write(`${control(controlCodes.heartbeat)}${countLines()}`)
  }

  let restMs: number = rest.most
  let isClosed = false
  while (!state.isEnding && !isBroken) {
    if (nowNs() >= nextBeat) beat()
    if (state.isClosing) {
      state.isClosing = false
      if (!isClosed) instance.close()
      isClosed = true
      readAll()
      write(`${control(controlCodes.end)}${countLines()}`)
    }
    restMs = turn() ? rest.least : Math.min(rest.most, restMs * 2)
    await new Promise((resolve) => setTimeout(resolve, restMs))
  }
  if (!isClosed) instance.close()
  readAll()
  write(countLines())
  return isBroken ? brokenPipe : 0
}

await main()
