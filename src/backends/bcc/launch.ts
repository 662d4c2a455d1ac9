import type { HostFacts } from '../../host/facts.ts'
import type { Plan } from '../../plan/plan.ts'
import { type Launch, type Notice, surround } from '../launcher.ts'

/**
 * The launch of the driver, which reads its request from stdin. -I: without the variables and folders of the user who
 * started ebpf-run, since it runs as root and would load what PYTHONPATH names.
 */
export function launchBcc(plan: Plan, facts: HostFacts, filesFolder: string): Launch {
  const words = [facts.bcc?.python ?? '/usr/bin/python3', '-I', `${filesFolder}bcc/driver.py`]
  return { ...surround(words, plan, facts, false), env: {} }
}

/** What a line of the driver outside records says: it says only what was lost. */
export function readBccNotice(line: string): Notice {
  if (line === '') return 'blank'
  const lost = /^Lost (\d{1,15}) events$/.exec(line)
  return lost ? { lost: Number(lost[1]) } : null
}
