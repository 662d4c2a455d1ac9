import { join } from 'node:path'
import { readProbeFile, untrustedPart } from '../catalog/trust.ts'
import { userProbeNames } from '../catalog/user-folder.ts'
import { EbpfRunError } from '../errors.ts'
import { safeText } from '../sinks/safe-text.ts'
import { commandNamed } from './commands.ts'

/** One of the user's probes, as `list` shows it. */
interface UserEntry {
  readonly name: string
  readonly path: string
  readonly summary: string
  readonly example: string
  /** Why it cannot be loaded, as far as a look tells; null when nothing is in the way. */
  readonly problem: string | null
}

/** The probes in a folder of the user's. Nothing is read that root should not trust. */
export function userEntries(folder: string): readonly UserEntry[] {
  return userProbeNames(folder).map((name) => {
    const path = join(folder, name)
    const unread = { name, path, summary: '', example: '' }
    if (commandNamed(name) !== null)
      return { ...unread, problem: 'ebpf-run has a probe or command of this name' }
    try {
      return { ...unread, ...textsOf(path), problem: null }
    } catch (error) {
      return { ...unread, problem: error instanceof Error ? problemText(error) : 'unknown' }
    }
  })
}

function textsOf(path: string): { readonly summary: string; readonly example: string } {
  const isRoot = process.geteuid?.() === 0
  const wrong = isRoot ? untrustedPart(path) : null
  if (wrong !== null)
    throw new Error(
      `others can change ${wrong.path} (${wrong.found}); --allow-user-probes loads it`,
    )
  const value: unknown = JSON.parse(readProbeFile(path, 'probe.json', isRoot))
  const of = (key: string): string => {
    const text = Object.entries(value ?? {}).find(([name]) => name === key)?.[1] as unknown
    return typeof text === 'string' ? safeText(text) : ''
  }
  return { summary: of('summary'), example: of('example') }
}

function problemText(error: Error): string {
  const found = error instanceof EbpfRunError ? ` (${error.found})` : ''
  return safeText(`${error.message}${found}`)
}
