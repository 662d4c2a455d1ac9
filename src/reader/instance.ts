import { spawn } from 'node:child_process'
import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { readFileSync, readSync, rmdirSync, writeFileSync } from 'node:fs'
import { type PageFormat, readPageFormat } from '../printk/ring.ts'
import { type PrintkFormat, readPrintkFormat } from '../printk/record.ts'
import { type CpuStats, readStats } from '../printk/stats.ts'

/** A trace instance of our own: nobody else's reader loses a message to it, and nobody's settings are touched. */
export interface Instance {
  readonly format: PrintkFormat
  readonly page: PageFormat
  readonly cpus: readonly Cpu[]
  /** The kernel's list of recent names. */
  readonly savedNames: string
  /** From here on messages are written into it. */
  begin(): void
  /** Nothing is written into it any more. */
  close(): void
  /** Takes it out of the kernel. */
  remove(): void
}

/** One CPU's buffer. */
export interface Cpu {
  readonly number: number
  /** Fills the buffer with a page; false when there is nothing to read. */
  read(page: Buffer): boolean
  stats(): CpuStats
}

const event = 'events/bpf_trace/bpf_trace_printk'

/**
 * Waits until its standard input ends, which it does with the reader, whatever ends that, and takes the instance out. While the
 * kernel still closes the dead reader's files, the instance is busy. Constant text; a session of its own keeps it out of kills
 * of the reader's group.
 */
const keeper = `
trap '' HUP INT TERM
read -r _
left=200
while [ -d "$1" ] && [ $left -gt 0 ]; do
  rmdir "$1" 2>/dev/null && exit 0
  left=$((left - 1))
  sleep 0.05
done
`

/** Where tracefs is mounted. Throws when it is nowhere. */
function tracefs(): string {
  const folders = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']
  const found = folders.find((folder) => existsSync(`${folder}/instances`))
  if (found === undefined) throw new Error(`no instances in ${folders.join(' or ')}`)
  return found
}

/** Makes the instance and sets it up, not yet begun. `onUnguarded`: the process that takes it out after us is gone. */
export async function openInstance(
  name: string,
  kilobytesOfCpu: number,
  onUnguarded: () => void,
): Promise<Instance> {
  const root = tracefs()
  const folder = `${root}/instances/${name}`
  const guard = await startGuard(folder, onUnguarded)
  mkdirSync(folder)
  const cpus: (Cpu & { readonly fd: number })[] = []
  let isRemoved = false
  const set = (file: string, text: string) => writeFileSync(`${folder}/${file}`, text)
  const remove = (): void => {
    if (isRemoved) return
    isRemoved = true
    for (const { fd } of cpus) closeSync(fd)
    rmdirSync(folder)
    guard.release()
  }
  try {
    const page = readPageFormat(readFileSync(`${root}/events/header_page`, 'latin1'))
    const format = readPrintkFormat(readFileSync(`${folder}/${event}/format`, 'latin1'))
    if (page === null || format === null)
      throw new Error('events/header_page or the format of bpf_trace_printk is of an unknown form')
    set('trace_clock', 'mono')
    // What does not fit is what comes last, so that what was counted as waiting is never overwritten.
    set('options/overwrite', '0')
    set('buffer_size_kb', String(kilobytesOfCpu))
    for (const cpu of readdirSync(`${folder}/per_cpu`)) cpus.push(openCpu(folder, cpu))
    cpus.sort((a, b) => a.number - b.number)
    return {
      format,
      page,
      cpus,
      savedNames: `${root}/saved_cmdlines`,
      begin: () => set(`${event}/enable`, '1'),
      close() {
        set('tracing_on', '0')
        set(`${event}/enable`, '0')
      },
      remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}

function openCpu(folder: string, name: string): Cpu & { readonly fd: number } {
  const fd = openSync(
    `${folder}/per_cpu/${name}/trace_pipe_raw`,
    constants.O_RDONLY | constants.O_NONBLOCK,
  )
  const file = `${folder}/per_cpu/${name}/stats`
  return {
    number: Number(name.slice('cpu'.length)),
    fd,
    read(page) {
      try {
        return readSync(fd, page, 0, page.length, null) > 0
      } catch (error) {
        if (isCode(error, 'EAGAIN')) return false
        throw error
      }
    },
    stats() {
      const stats = readStats(readFileSync(file, 'latin1'))
      if (stats === null) throw new Error(`${file} is of an unknown form`)
      return stats
    },
  }
}

/** Starts the process that takes the instance out when we are gone. */
async function startGuard(folder: string, onGone: () => void): Promise<{ release(): void }> {
  const child = spawn('/bin/sh', ['-c', keeper, 'ebpf-run-keeper', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  })
  let isReleased = false
  child.stdin.on('error', () => {})
  child.on('exit', () => {
    if (!isReleased) onGone()
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', () => resolve())
    child.once('error', reject)
  })
  return {
    release() {
      isReleased = true
      child.stdin.end()
      child.unref()
    },
  }
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
