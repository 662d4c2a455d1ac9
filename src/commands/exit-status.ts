import { constants } from 'node:os'
import { EbpfRunError, exitCodes } from '../errors.ts'
import type { Exit } from '../session/child.ts'
import type { SessionResult } from '../session/types.ts'

/** What a run exits with that ended well. Throws LOST_EVENTS. */
export function exitStatus(maxLost: number | null, result: SessionResult): number {
  if (maxLost === null) return exitCodes.ok
  const lost = Object.values(result.account.events).reduce(
    (sum, each) => sum + Math.abs(each.lost ?? 0),
    0,
  )
  const { unplacedValues: unplaced } = result
  if (result.account.account === 'exact' && lost + unplaced <= maxLost) return exitCodes.ok
  throw new EbpfRunError({
    code: 'LOST_EVENTS',
    message: 'more events were lost than --max-lost allows',
    expected: `at most ${maxLost}, and an exact account`,
    found: [
      `${lost} lost`,
      ...(unplaced === 0 ? [] : [`${unplaced} values in no histogram`]),
      `account ${result.account.account}`,
    ].join(', '),
    remedy: 'a larger --buffer, or filters that the kernel applies',
  })
}

/** A process's end as a shell shows it. */
export function statusOf({ code, signal }: Exit): number {
  return code ?? 128 + (signal === null ? 0 : (constants.signals[signal as NodeJS.Signals] ?? 0))
}
