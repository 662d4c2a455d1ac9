import { execFileSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a session reads its back-end from. A chunk is valid until the listener returns. */
export interface PacedReader {
  on(name: 'data', take: (chunk: Buffer) => void): unknown
  on(name: 'end', done: () => void): unknown
  on(name: 'error', failed: (error: Error) => void): unknown
  pause(): void
  resume(): void
  /** From here on it is read as fast as it comes, paused or not: the run ends. */
  hurry(): void
}

export interface Pipe {
  readonly readEnd: number
  readonly writeEnd: number
}

/**
 * A pipe of the kernel; null where mkfifo is missing or there is no place for it. What Node calls a pipe is a pair of sockets:
 * each line of bpftrace costs it a packet there, and about 280 lines fill it.
 */
export function openPipe(): Pipe | null {
  let folder: string | null = null
  try {
    folder = mkdtempSync(join(tmpdir(), 'ebpf-run-'))
    const path = join(folder, 'stdout')
    execFileSync('mkfifo', ['-m', '600', path], { stdio: 'ignore', timeout: 5_000 })
    const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    return { readEnd, writeEnd: openSync(path, constants.O_WRONLY) }
  } catch {
    return null
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
  }
}

const capacity = 65_536
const shortestMs = 1
const longestMs = 20

/** The rest, in ms, that half fills the pipe when as much comes as in the last one; at most half or double of that. */
export function nextRest(restMs: number, size: number): number {
  const share = Math.min(2, Math.max(0.5, capacity / 2 / size))
  return Math.min(longestMs, Math.max(shortestMs, restMs * share))
}

/**
 * Reads with a rest after each chunk. bpftrace writes each event by itself, and waking for each one costs several times what
 * decoding it does. The rest is longer while little comes and shorter while much does; what comes after a quiet time is
 * read at once.
 */
export function readPaced(fd: number): PacedReader {
  const told = new EventEmitter()
  const buffer = Buffer.allocUnsafeSlow(capacity)
  let restMs = shortestMs
  let timer: NodeJS.Timeout | null = null
  let isPaused = false
  let isHurried = false
  const goOn = (): void => {
    timer = null
    if (!isPaused) socket.resume()
  }
  const take = (size: number): boolean => {
    restMs = nextRest(restMs, size)
    told.emit('data', buffer.subarray(0, size))
    if (isHurried) return true
    timer ??= setTimeout(goOn, restMs)
    return false
  }
  // `onread` belongs here (nodejs/node#54194); the types of Node 20 know it elsewhere only.
  const options: SocketConstructorOpts & ConnectOpts = {
    ...{ fd, readable: true, writable: false },
    onread: { buffer, callback: take },
  }
  const socket = new Socket(options)
  socket.on('end', () => told.emit('end'))
  socket.on('error', (error) => told.emit('error', error))
  socket.resume()
  return {
    on: (name: string, listener: (...args: never[]) => void) =>
      told.on(name, listener as (...args: unknown[]) => void),
    pause() {
      if (isHurried) return
      isPaused = true
      socket.pause()
    },
    resume() {
      isPaused = false
      if (timer === null) socket.resume()
    },
    hurry() {
      isHurried = true
      isPaused = false
      if (timer !== null) clearTimeout(timer)
      goOn()
    },
  }
}
