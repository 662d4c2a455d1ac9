import { execFile } from 'node:child_process'

import { findTracefs, parseMounts } from './mounts.ts'
import { isAbleToMount, readIdentity } from './privileges.ts'
import { readBytes, readHost } from './read.ts'
import { findTool } from './tools.ts'

/** A file of tracefs as it stands, or why it could not be read. */
export type TracefsFile = { readonly text: string } | { readonly why: string }

/** Constant text: the file's name is an argument. The mount goes with the child's mount namespace. */
const script = `mount -t tracefs tracefs /sys/kernel/tracing && exec cat -- "/sys/kernel/tracing/$1"`

/** Reads one file below the root of tracefs: where it is mounted, else in the mount namespace of a child. */
export function readTracefs(name: string, env: NodeJS.ProcessEnv): Promise<TracefsFile> {
  const mounts = readHost('/proc/self/mounts')
  const root = findTracefs(parseMounts('text' in mounts ? mounts.text : ''))
  if (root !== null) {
    const file = readBytes(`${root}/${name}`)
    return Promise.resolve(
      'errno' in file
        ? { why: `${root}/${name}: ${file.errno}` }
        : { text: file.bytes.toString('latin1') },
    )
  }
  const unshare = findTool('unshare', env)
  if (unshare === null || !isAbleToMount(readIdentity(readHost)))
    return Promise.resolve({ why: 'tracefs is not mounted, and mounting it needs root' })
  return inChild(unshare, name, env)
}

function inChild(unshare: string, name: string, env: NodeJS.ProcessEnv): Promise<TracefsFile> {
  const words = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', name]
  const options = {
    encoding: 'latin1',
    env: { ...env, LC_ALL: 'C' },
    timeout: 30_000,
    maxBuffer: 1 << 26,
  } as const
  return new Promise((resolve) => {
    const child = execFile(unshare, words, options, (error, stdout, stderr) =>
      resolve(
        error === null
          ? { text: stdout }
          : { why: (stderr.trim().split('\n').at(-1) || error.message).replace(/^cat: /, '') },
      ),
    )
    child.stdin?.end()
  })
}
