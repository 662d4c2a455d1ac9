import { fingerprint } from './attach-point-cache.ts'
import { readCachedBytes, writeCached } from './cache.ts'
import type { PrivateTracefs } from './private-tracefs.ts'
import { readHost } from './read.ts'

/** Within it the kernel's lockdown may have been raised, which is told too late then. */
const mostAgeMs = 600_000

/**
 * What a child sees in a private tracefs, as it was seen a short while ago on this boot with these modules: to describe an attach
 * point, not to attach to it.
 */
export async function readPrivateTracefsCached(
  unshare: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<PrivateTracefs> {
  const boot = readHost('/proc/sys/kernel/random/boot_id')
  const of = 'text' in boot ? boot.text.trim() : 'unknown'
  const wanted = files.map((file) => file.replace(/\W/g, '-')).join('+')
  const name = `tracefs-${fingerprint()}-${of}-${wanted || 'none'}.json`
  const known = 'text' in boot ? parse(readCachedBytes(name, env, mostAgeMs)) : null
  if (known !== null) return known
  const { readPrivateTracefs } = await import('./private-tracefs.ts')
  const seen = await readPrivateTracefs(unshare, files, env)
  if (seen.failure === null && name.length < 200)
    writeCached(name, JSON.stringify({ ...seen, formats: [...seen.formats] }), env)
  return seen
}

function parse(cached: Buffer | null): PrivateTracefs | null {
  if (cached === null) return null
  try {
    const seen = JSON.parse(cached.toString('latin1'))
    return { ...seen, formats: new Map(seen.formats) }
  } catch {
    return null
  }
}
