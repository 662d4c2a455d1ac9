import type { Plan } from '../plan/plan.ts'
import type { RunSummary } from '../session/summary.ts'
import type { Output } from './output.ts'

/** Records about the run among the events of NDJSON: they have `lifecycle` where events have `event`. */
export function lifecycleRecords(plan: Plan, out: Pick<Output, 'write' | 'mark'>) {
  const write = (lifecycle: string, rest: object): void => {
    out.write(
      `${JSON.stringify({ lifecycle, time: new Date().toISOString(), probe: plan.probe.name, ...rest })}\n`,
    )
    out.mark('other')
  }
  return {
    start: () => write('start', { variant: plan.variant.name }),
    attached: () => write('attached', {}),
    end(summary: RunSummary) {
      const lost = Object.values(summary.events).reduce((sum, each) => sum + (each.lost ?? 0), 0)
      if (lost > 0) write('lost', { lost })
      write('end', { account: summary.account, events: summary.events, end: summary.end })
    },
  }
}
