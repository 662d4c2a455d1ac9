import type { HostFacts } from '../host/facts.ts'
import type { Plan } from '../plan/plan.ts'
import type { BackendName } from '../schema/define.ts'
import { launchBcc, readBccNotice } from './bcc/launch.ts'
import { hasLeftOut, launchBpftrace, readNotice } from './bpftrace.ts'
import type { Launch, Notice } from './launcher.ts'
import { launchReader, readReaderNotice } from './tracefs.ts'

/** What runs a plan's program, as a session sees it. All speak the same wire. */
export interface Backend {
  readonly name: BackendName
  readonly launch: Launch
  readNotice(line: string): Notice
  /** Whether a line of stderr says that the kernel refused an attach point and the back-end goes on without it; absent: it never does. */
  hasLeftOut?(line: string): boolean
}

/** The back-end of a plan. `filesFolder` is the folder of this file in the package, with a slash. */
export function backendOf(plan: Plan, facts: HostFacts, filesFolder: string): Backend {
  if (plan.variant.backend === 'tracefs')
    return {
      name: 'tracefs',
      launch: launchReader(plan, facts, filesFolder),
      readNotice: readReaderNotice,
    }
  return plan.dialect === null
    ? { name: 'bcc', launch: launchBcc(plan, facts, filesFolder), readNotice: readBccNotice }
    : {
        name: 'bpftrace',
        launch: launchBpftrace(plan, plan.dialect, facts, filesFolder),
        readNotice,
        ...(plan.probe.script === undefined ? { hasLeftOut } : {}),
      }
}

/** What ran or would run, with its version. */
export function backendText(name: BackendName, facts: HostFacts): string {
  if (name === 'tracefs') return `tracefs of Linux ${facts.kernel.release}`
  const version = name === 'bcc' ? facts.bcc?.version : facts.bpftrace.version
  return `${name} ${version ?? null}`
}
