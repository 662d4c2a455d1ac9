import { accessSync, constants, statSync } from 'node:fs'
import { delimiter } from 'node:path'
import { EbpfRunError } from '../errors.ts'

/** What a shell exits with for a command that is not there, and for one that it may not execute. */
const shellStatus = { missing: 127, forbidden: 126 } as const

type Found = keyof typeof shellStatus | 'executable'

/**
 * Looks for the program of `-- COMMAND` as a shell does, before anything is started; what another user may execute, only the start
 * shows. Throws COMMAND_FAILED, with the status that a shell has for it.
 */
export function requireCommand([name = '']: readonly string[], env: NodeJS.ProcessEnv): void {
  const path = env['PATH']
  const isPath = name.includes('/')
  // Each shell has another PATH of its own where there is none.
  if (!isPath && path === undefined) return
  const places = placesOf(name, path)
  const found = places.map(lookAt)
  if (found.includes('executable')) return
  const why = found.includes('forbidden') ? 'forbidden' : 'missing'
  throw new EbpfRunError({
    code: 'COMMAND_FAILED',
    exitCode: shellStatus[why],
    message: why === 'forbidden' ? `'${name}' cannot be executed` : `there is no command '${name}'`,
    expected: isPath ? 'an executable file' : `an executable file on PATH (${path})`,
    found: name,
    remedy:
      why === 'forbidden'
        ? `ls -l ${places[found.indexOf('forbidden')]}`
        : isPath
          ? `ls ${name}; the words after -- are started as they are, without a shell`
          : `command -v ${name}; what is of the shell itself: -- sh -c '${name} …'`,
  })
}

/**
 * The words with the program's own path, so that the process that becomes it need not try every folder of PATH while it is traced. As they
 * are where it has none: what another user may execute is not known here.
 */
export function withPath(words: readonly string[], env: NodeJS.ProcessEnv): readonly string[] {
  const [name = '', ...rest] = words
  const place = placesOf(name, env['PATH']).find((path) => lookAt(path) === 'executable')
  return place?.startsWith('/') === true ? [place, ...rest] : words
}

function placesOf(name: string, path: string | undefined): readonly string[] {
  if (name.includes('/')) return [name]
  return (path ?? '').split(delimiter).map((each) => `${each || '.'}/${name}`)
}

function lookAt(path: string): Found {
  try {
    if (!statSync(path).isFile()) return 'forbidden'
  } catch {
    return 'missing'
  }
  try {
    accessSync(path, constants.X_OK)
    return 'executable'
  } catch {
    return 'forbidden'
  }
}
