import type { HostFacts } from '../host/facts.ts'
import type { Dialect } from '../plan/dialect.ts'
import type { Plan } from '../plan/plan.ts'
import { type Launch, type Notice, surround } from './launcher.ts'

/** Bytes of the longest str(): 128 shown, one to know that there was more, one for the NUL. */
const stringBytes = '130'
/** The same for a script, which was written for the 64 that bpftrace shows by itself. */
const scriptBytes = '66'

/** The launch of a plan's bpftrace. `filesFolder` has include/linux/types.h for the versions that need one. */
export function launchBpftrace(
  plan: Plan,
  dialect: Dialect,
  facts: HostFacts,
  filesFolder: string,
): Launch {
  const asFile = dialect.programFrom === 'file'
  const words = [
    facts.bpftrace.path ?? 'bpftrace',
    ...dialect.flags,
    ...(plan.probe.script?.unsafe === true ? ['--unsafe'] : []),
    ...(dialect.ownTypes ? ['-I', `${filesFolder}include/`] : []),
    asFile ? '/dev/fd/3' : '-',
  ]
  return {
    ...surround(words, plan, facts, asFile),
    env: {
      [dialect.strlenVariable]: plan.probe.script === undefined ? stringBytes : scriptBytes,
      [dialect.keysVariable]: String(plan.buffers.mapKeys),
      [dialect.pagesVariable]: String(plan.buffers.pages),
      // 512 without it, 1024 from 0.23 on. What is asked for was counted already; a script's limit stays its own.
      ...(plan.probe.script === undefined ? { BPFTRACE_MAX_PROBES: '4096' } : {}),
      BPFTRACE_STR_TRUNC_TRAILER: '',
      // From 0.23 on messages are coloured even where nobody looks.
      NO_COLOR: '1',
    },
  }
}

/** What a line of bpftrace outside records says. */
export function readNotice(line: string): Notice {
  if (line === '') return 'blank'
  if (/^Attach(?:ing|ed) \d+ probes?/.test(line)) return 'banner'
  const lost = /^Lost (\d{1,15}) events$/.exec(line)
  if (lost) return { lost: Number(lost[1]) }
  return line.startsWith('@') ? 'map' : null
}

/** `Warning: could not attach probe kprobe:x, skipping.` (0.11) and `WARNING: …` (to 0.23), in src/attached_probe.cpp of bpftrace. */
export function hasLeftOut(line: string): boolean {
  return /^warning: could not attach probe \S+, skipping/i.test(line)
}
