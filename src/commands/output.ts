import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { EbpfRunError } from '../errors.ts'
import type { Out } from '../sinks/sink.ts'

/** An `Out` with an owner: tells when it is behind, gone or broken, and can be closed. */
export interface Output extends Out {
  /** Says what was written since the last mark. */
  mark(what: Mark['what']): void
  /** Events that a file had no room for. What a reader leaves in its pipe is not known, and not among them. */
  unwritten(): number
  /** Hands over what was written so far, as far as the reader takes it. */
  flush(): void
  /** Resolves when all that was written is handed over, or the reader is gone. */
  close(): Promise<void>
  /** Gives up what was not handed over yet; `close` resolves. */
  abandon(): void
}

export interface OutputEvents {
  /** The reader is behind; `onDrain` follows. */
  onBehind(): void
  onDrain(): void
  /** Nobody reads any more (`| head`): a normal end. */
  onClosed(): void
  onFailed(error: EbpfRunError): void
}

/** Up to here bytes are an event, or lines of one event each, or lines of something else. */
interface Mark {
  readonly end: number
  readonly what: 'event' | 'lines' | 'other'
}

interface Target {
  /** Answers how many of the events did not fit. The bytes are valid until it returns. */
  write(bytes: Buffer, marks: readonly Mark[]): number
  /** True from a write that the reader could not take until it has. */
  isBehind(): boolean
  close(): Promise<void>
  abandon(): void
}

const flushBytes = 65_536
/** What a turn writes, but for unusual ones: what one chunk of a back-end becomes. */
const roomBytes = 16 * flushBytes

/** Standard output: a terminal, a pipe whose reader may be slow or leave, or a file. */
export function openStdout(env: NodeJS.ProcessEnv, events: OutputEvents): Output {
  const isTerminal = process.stdout.isTTY === true
  const stat = fstatSync(1)
  const target = isTerminal
    ? streamTarget(process.stdout, events)
    : stat.isFIFO()
      ? streamTarget(reopenPipe(), events)
      : stat.isSocket()
        ? streamTarget(process.stdout, events)
        : fileTarget(1, 'standard output', events)
  return batched(target, {
    isTerminal,
    columns: () => (isTerminal ? process.stdout.columns || 80 : null),
    rows: () => (isTerminal && env['TERM'] !== 'dumb' ? process.stdout.rows || 24 : null),
    color: hasColor(env, isTerminal),
  })
}

/** A file that is written anew. Throws OUTPUT_FAILED. */
export function openFile(path: string, events: OutputEvents): Output {
  const target = fileTarget(openForWriting(path), path, events)
  return batched(target, {
    isTerminal: false,
    columns: () => null,
    rows: () => null,
    color: false,
  })
}

/** Opens a file for writing; `mode` for one that did not exist. Throws OUTPUT_FAILED. */
export function openForWriting(path: string, mode = 0o666): number {
  try {
    return openSync(path, 'w', mode)
  } catch (error) {
    throw outputError(path, error)
  }
}

/** Writes all of it, where one call may take less. Throws the system's errors. */
export function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done)
}

/** NO_COLOR, FORCE_COLOR and TERM=dumb, in that order; else colour on terminals. */
export function hasColor(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0'
  return isTerminal && env['TERM'] !== 'dumb'
}

/** What to do about a file that cannot be written, by the system's error. */
const outputRemedies: Readonly<Record<string, (path: string) => string>> = {
  ENOSPC: (path) => (path.startsWith('/') ? `df -h ${path}` : 'df -h shows where there is room'),
  ENOENT: (path) => `mkdir -p ${dirname(path)}`,
}

export function outputError(path: string, error: unknown): EbpfRunError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  return new EbpfRunError({
    code: 'OUTPUT_FAILED',
    message: `${path} could not be written`,
    found: code,
    remedy: outputRemedies[code]?.(path) ?? `ls -ld ${path}`,
    cause: error,
  })
}

/**
 * Node writes to pipes with blocking calls, which would stop our signal handlers while a reader sleeps. Opening the pipe anew
 * gives a description of our own that can be made non-blocking without touching that of others.
 */
function reopenPipe(): Writable {
  try {
    const fd = openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK)
    return new Socket({ fd, readable: false, writable: true })
  } catch {
    return process.stdout
  }
}

function streamTarget(stream: Writable, events: OutputEvents): Target {
  let isGone = false
  let leave = () => {}
  stream.on('drain', () => events.onDrain())
  stream.on('error', (error: NodeJS.ErrnoException) => {
    isGone = true
    if (error.code === 'EPIPE' || error.code === 'ECONNRESET' || error.code === 'EIO')
      events.onClosed()
    else events.onFailed(outputError('standard output', error))
  })
  return {
    write(bytes) {
      if (!isGone) stream.write(Buffer.from(bytes))
      return 0
    },
    isBehind: () => !isGone && stream.writableNeedDrain,
    close: () =>
      new Promise((resolve) => {
        leave = resolve
        if (isGone) return resolve()
        stream.on('error', () => resolve())
        stream.write('', () => resolve())
      }),
    abandon() {
      isGone = true
      stream.destroy()
      leave()
    },
  }
}

/** A file is written at once. What does not fit is taken back to the last whole event. */
function fileTarget(fd: number, path: string, events: OutputEvents): Target {
  let isBroken = false
  let good = 0
  return {
    write(bytes, marks) {
      if (isBroken) return eventsBehind(0, bytes, marks)
      let done = 0
      try {
        while (done < bytes.length) done += writeSync(fd, bytes, done)
        good += bytes.length
        return 0
      } catch (error) {
        isBroken = true
        const whole = wholeUntil(done, bytes, marks)
        takeBack(fd, good + whole)
        events.onFailed(outputError(path, error))
        return eventsBehind(whole, bytes, marks)
      }
    },
    isBehind: () => false,
    close: async () => {
      if (fd > 2) closeSync(fd)
    },
    abandon: () => {},
  }
}

const lineFeed = 10

/** Where the last event ends that stands before `done` as a whole. */
function wholeUntil(done: number, bytes: Buffer, marks: readonly Mark[]): number {
  const at = marks.findIndex(({ end }) => end > done)
  const from = (at === -1 ? marks.at(-1) : marks[at - 1])?.end ?? 0
  if (marks[at]?.what === 'event') return from
  return Math.max(from, bytes.subarray(0, done).lastIndexOf(lineFeed) + 1)
}

/** Events that end behind this place. */
function eventsBehind(from: number, bytes: Buffer, marks: readonly Mark[]): number {
  return marks.reduce((sum, { end, what }, at) => {
    if (end <= from || what === 'other') return sum
    if (what === 'event') return sum + 1
    const lines = bytes.subarray(Math.max(from, marks[at - 1]?.end ?? 0), end)
    return sum + lines.reduce((count, byte) => (byte === lineFeed ? count + 1 : count), 0)
  }, 0)
}

function takeBack(fd: number, length: number): void {
  try {
    if (fd > 2) ftruncateSync(fd, length)
  } catch {
    // A device or a pipe has no length to set.
  }
}

/** Small writes of one turn go out together, from one buffer that is used again and again. */
function batched(
  target: Target,
  facts: Pick<Out, 'isTerminal' | 'columns' | 'rows' | 'color'>,
): Output {
  let room = Buffer.allocUnsafeSlow(roomBytes)
  let marks: Mark[] = []
  let size = 0
  let isScheduled = false
  let unwritten = 0
  const flush = (): void => {
    isScheduled = false
    if (size === 0) return
    const bytes = room.subarray(0, size)
    const own = marks
    marks = []
    size = 0
    unwritten += target.write(bytes, own)
    if (room.length > roomBytes) room = Buffer.allocUnsafeSlow(roomBytes)
  }
  return {
    ...facts,
    write(bytes) {
      // What comes after its mark: an event is not taken apart.
      if (size >= flushBytes) flush()
      const most = typeof bytes === 'string' ? bytes.length * 3 : bytes.length
      if (size + most > room.length) {
        const larger = Buffer.allocUnsafeSlow((size + most) * 2)
        room.copy(larger, 0, 0, size)
        room = larger
      }
      if (typeof bytes === 'string') size += room.write(bytes, size, 'utf8')
      else {
        room.set(bytes, size)
        size += bytes.length
      }
      if (!isScheduled) {
        isScheduled = true
        setImmediate(flush)
      }
      return !target.isBehind()
    },
    mark(what) {
      marks.push({ end: size, what })
    },
    unwritten: () => unwritten,
    flush,
    abandon: () => target.abandon(),
    close: async () => {
      flush()
      await target.close()
    },
  }
}
