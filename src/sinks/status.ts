import type { Account, EventAccount } from '../wire/account.ts'
import { displayWidth, safeText, truncate } from './safe-text.ts'

export interface Status {
  readonly probe: string
  readonly phase: 'starting' | 'running' | 'draining' | 'stopping'
  /** Since the run was attached; since the start while `starting`. */
  readonly elapsedMs: number
  readonly events: number
  readonly perSecond: number
  /** An estimate while the run lasts; null until the kernel's count was read; `later`: it shows at the end of the run alone. */
  readonly lost: number | null | 'later'
}

const phaseWords: Record<Status['phase'], readonly string[]> = {
  starting: ['attaching'],
  running: [],
  draining: ['reading what is left'],
  stopping: ['stopping'],
}

/** Parts of the status line that go first where it does not fit. */
const dropOrder = ['rate', 'phase', 'elapsed', 'probe'] as const

/** The status line of a terminal, no longer than `width` columns, without a line feed. */
export function statusLine(status: Status, width: number): string {
  const { probe, phase, elapsedMs, events, perSecond, lost } = status
  const parts = new Map<string, readonly string[]>([
    ['probe', [safeText(probe)]],
    ['phase', phaseWords[phase]],
    ['elapsed', [elapsedText(elapsedMs)]],
    ['events', phase === 'starting' ? [] : [counted(events, 'event')]],
    ['rate', phase === 'running' ? [rateText(perSecond)] : []],
    ['lost', phase === 'starting' || lost === 'later' ? [] : [lostText(lost)]],
  ])
  const line = () => [...parts.values()].flat().join(' · ')
  for (const part of dropOrder) {
    if (displayWidth(line()) <= width) break
    parts.delete(part)
  }
  return truncate(line(), width)
}

/** What a terminal says once everything is attached, also when nothing happens after it. */
export function attachedText(probe: string, variant: string, afterMs: number): string {
  return `${safeText(probe)} attached after ${seconds(afterMs)} (${safeText(variant)}), 0 events`
}

export interface AccountTextOptions {
  readonly durationMs: number
  /** Further sentences, each on a line of its own. */
  readonly notes: readonly string[]
}

const stateText: Record<Account['account'], string> = {
  exact: 'exact',
  open: 'open: the final counts could not be read; these are the last known figures, and more may be lost',
}

/** The account at the end of a run, for people: one line for one event type, else a line for all and one for each. */
export function accountText(account: Account, options: AccountTextOptions): string {
  const types = Object.entries(account.events)
  const delivered = types.reduce((sum, [, type]) => sum + type.delivered, 0)
  const total = `${counted(delivered, 'event')} in ${seconds(options.durationMs)}`
  const state = stateText[account.account]
  const [only] = types
  const lines =
    types.length === 1 && only !== undefined
      ? [`${total}; ${figures(only[1], account.account)} — ${state}`]
      : [
          `${total} — ${state}`,
          ...types.map(([name, type]) => `  ${name}: ${figures(type, account.account)}`),
        ]
  const notes = [...strayNotes(account.stray_faults), ...options.notes]
  return [...lines, ...notes.map((note) => `note: ${safeText(note)}`)].join('\n')
}

/**
 * What a summary's reader is told of the groups that were left out, where he did not ask for that: of each interval, or `isWhole` of one
 * run, whose last groups may have come by themselves.
 */
export function unshownNotes(
  intervals: readonly { readonly groups: number; readonly events: number }[],
  top: number,
  isWhole: boolean,
): readonly string[] {
  const each = intervals.map(({ groups }) => groups)
  const most = isWhole ? each.reduce((sum, groups) => sum + groups, 0) : Math.max(0, ...each)
  if (most === 0) return []
  const events = intervals.reduce((sum, each) => sum + each.events, 0)
  const cut = intervals.filter(({ groups }) => groups > 0).length
  const groups = `${most} more group${most === 1 ? '' : 's'}`
  return [
    cut === 1 || isWhole
      ? `${groups} (${counted(events, 'event')}); --top ${top + most} shows them`
      : `up to ${groups} an interval (${counted(events, 'event')} in ${cut} intervals); --top ${top + most} shows them`,
  ]
}

/** Records too damaged to tell their type, and damaged parts, stand in no event type's figures. */
function strayNotes(faults: number): readonly string[] {
  if (faults === 0) return []
  return [`${counted(faults, 'damaged record')} could not be put to any event type`]
}

function figures(type: EventAccount, state: Account['account']): string {
  const counts = [
    `kernel counted ${type.emitted ?? 'unknown'}`,
    `delivered ${type.delivered}`,
    `lost ${type.lost ?? 'unknown'}${lostRemark(type.lost, state)}`,
    `filtered ${type.filtered}`,
    ...(type.after_end === 0 ? [] : [`after the end ${type.after_end}`]),
    `faults ${type.faults}`,
  ]
  return `${counts.join(', ')}; missed: ${type.missed ?? 'unknown (no counter of the kernel could be read)'}`
}

function lostRemark(lost: number | null, state: Account['account']): string {
  if (lost === null || lost >= 0) return ''
  return state === 'exact'
    ? ' (more arrived than the kernel counted: a bug of ebpf-run, please report it)'
    : ' (more arrived after the last count)'
}

function lostText(lost: number | null): string {
  if (lost === null) return 'lost unknown'
  return lost === 0 ? '0 lost' : `~${lost} lost`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function rateText(perSecond: number): string {
  const isWhole = perSecond === 0 || perSecond >= 10
  return `${isWhole ? Math.round(perSecond) : perSecond.toFixed(1)}/s`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function elapsedText(ms: number): string {
  const all = Math.floor(ms / 1000)
  const two = (part: number) => String(part).padStart(2, '0')
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60]
  if (hours > 0) return `${hours} h ${two(minutes)} min`
  return minutes > 0 ? `${minutes} min ${two(rest)} s` : `${rest} s`
}
