import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'
import { type Launch, type Notice, surround } from './launcher.ts'

/** The launch of the reader of a trace instance (src/reader/), in the Node that runs us, without the caller's options for it. */
export function launchReader(plan: Plan, facts: HostFacts, filesFolder: string): Launch {
  const words = [process.execPath, `${filesFolder}../reader/main.js`]
  return { ...surround(words, plan, facts, false), env: { NODE_OPTIONS: '' } }
}

/** It prints nothing outside records but counts. */
export function readReaderNotice(line: string): Notice {
  return line === '' ? 'blank' : null
}
