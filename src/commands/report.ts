import { EbpfRunError } from '../errors.ts'
import type { Plan } from '../plan/plan.ts'
import type { Session, SessionResult, State } from '../session/types.ts'
import { safeText } from '../sinks/safe-text.ts'
import { accountText, attachedText, type Status, statusLine } from '../sinks/status.ts'
import type { Account } from '../wire/account.ts'
import type { Io } from './io.ts'

interface ReporterOptions {
  readonly io: Io
  readonly plan: Plan
  readonly quiet: boolean
  readonly verbose: boolean
  /** Events go to a terminal: the status line must make room for them. */
  readonly tableOnTerminal: boolean
}

/** Everything that a run says on stderr. */
export interface Reporter {
  state(state: State): void
  log(line: string, from: 'stdout' | 'stderr'): void
  follow(session: Session): void
  /** Takes the status line away before an event is printed. */
  clear(): void
  /** Puts it back below what was printed at once. */
  restore(): void
  end(result: SessionResult, notes: readonly string[]): void
  /** The run is over, but who reads the events has not taken all of them. */
  waiting(): void
  close(): void
}

const refreshMs = 500

/**
 * Milliseconds since this process began. What people read counts from there, since they waited for the look at the host as well;
 * `attached_after_ms` of the account counts from the start of the back-end.
 */
const sinceStart = (): number => performance.now()

export function createReporter({
  io,
  plan,
  quiet,
  verbose,
  tableOnTerminal,
}: ReporterOptions): Reporter {
  // A dumb terminal would print the escapes and lines one behind the other.
  const hasStatus = io.stderrIsTerminal && io.env['TERM'] !== 'dumb' && !quiet
  let attachedAt: number | null = null
  let phase: 'starting' | 'running' | 'stopping' = 'starting'
  let isShown = false
  let line = ''
  let timer: NodeJS.Timeout | null = null
  let session: Session | null = null
  let last = { at: sinceStart(), events: 0 }

  const say = (text: string): void => {
    clear()
    if (!quiet) io.stderr(`${text}\n`)
  }
  const clear = (): void => {
    if (isShown) io.stderr('\r\x1b[K')
    isShown = false
  }
  const show = (): void => {
    if (!hasStatus || session === null) return
    const { events, lost } = liveFigures(session.live(), plan.summary !== null)
    const now = sinceStart()
    const perSecond = ((events - last.events) * 1000) / Math.max(1, now - last.at)
    last = { at: now, events }
    line = statusLine(
      {
        probe: plan.probe.name,
        phase,
        elapsedMs: now - (attachedAt ?? 0),
        events,
        perSecond,
        lost,
      },
      Math.max(20, io.columns - 1),
    )
    put()
  }
  const put = (): void => {
    io.stderr(`\r\x1b[K${line}`)
    isShown = true
  }

  return {
    state(state) {
      if (state === 'attached') {
        attachedAt = sinceStart()
        phase = 'running'
        say(`${attachedText(plan.probe.name, plan.variant.name, attachedAt)}${blindText(plan)}`)
      }
      if (state === 'stopping') phase = 'stopping'
    },
    log(line, from) {
      const isOutput = plan.probe.script !== undefined && from === 'stdout'
      if (verbose || isOutput) say(`${plan.variant.backend} ${from}: ${safeText(line)}`)
    },
    follow(running) {
      session = running
      if (!hasStatus) return
      timer = setInterval(show, refreshMs)
      timer.unref()
      show()
    },
    clear() {
      if (tableOnTerminal) clear()
    },
    restore() {
      if (timer !== null && tableOnTerminal) put()
    },
    end(result, notes) {
      if (result.attachedAfterMs === null) return clear()
      say(accountText(result.account, { durationMs: result.ranMs, notes }))
    },
    waiting: () => say('waiting for the reader of standard output; Ctrl-C leaves it'),
    close() {
      if (timer !== null) clearInterval(timer)
      clear()
    },
  }
}

/** Prints an error for people, or as JSON where the caller reads JSON. */
export function errorText(error: EbpfRunError, asJson: boolean): string {
  if (asJson) return `${JSON.stringify(error)}\n`
  const part = (label: string, text: string | undefined) =>
    text === undefined || text === '' ? [] : [`  ${label}: ${indented(text, label.length + 4)}`]
  const unlessSaid = (text: string | undefined) =>
    text !== undefined && error.message.includes(text) ? undefined : text
  return [
    `ebpf-run: ${safeText(error.message)} [${error.code}]`,
    ...part('expected', unlessSaid(error.expected)),
    ...part('found', unlessSaid(error.found)),
    ...part('said', error.detail),
    ...part('try', error.remedy),
    '',
  ].join('\n')
}

/** Lines one below the other: an expression and the mark below its mistake, for example. */
function indented(text: string, columns: number): string {
  return safeLines(text)
    .split('\n')
    .join(`\n${' '.repeat(columns)}`)
}

function safeLines(text: string): string {
  return text.split('\n').map(safeText).join('\n')
}

/** What this variant cannot tell, said once. */
function blindText(plan: Plan): string {
  const fields = Object.keys(plan.variant.cannotTell)
  return fields.length === 0 ? '' : `; ${fields.join(', ')} cannot be told this way`
}

/**
 * What the status line says of the account so far. What is counted in the kernel is not here before the end of its interval, and not
 * lost for that: then it tells what the kernel counted, and of losses nothing.
 */
export function liveFigures(account: Account, isCounted: boolean): Pick<Status, 'events' | 'lost'> {
  const delivered = sum(account, 'delivered') ?? 0
  if (!isCounted) return { events: delivered, lost: sum(account, 'lost') }
  return { events: Math.max(delivered, sum(account, 'emitted') ?? 0), lost: 'later' }
}

function sum(account: Account, figure: 'delivered' | 'emitted' | 'lost'): number | null {
  let total = 0
  for (const each of Object.values(account.events)) {
    const value = each[figure]
    if (value === null) return null
    total += value
  }
  return Math.max(0, total)
}
