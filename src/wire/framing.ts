import type { FaultReason } from './decoder.ts'
import { createMarker, type Frame, type Mark } from './marks.ts'

/** Called in stream order. */
export interface FrameHandlers {
  record(code: string, closed: string, texts: readonly string[]): void
  fault(code: string | null, reason: FaultReason): void
  other(line: string): void
  /** An empty line outside records; without this they are dropped. */
  blank?(): void
  /** Records begin at `at`. The fast way takes as many as it can; where the first one begins that it leaves. */
  fast(at: number): number
}

export interface Framer {
  /** Takes the next bytes as latin1, the unfinished rest of the last call put before them. Returns where the new rest begins. */
  push(text: string): number
  /** The stream is over; `text` is the last rest. */
  end(text: string): void
}

/** Longest record (token to end) and longest line shown. */
export const maxLength = 65_536

/** A dumped map's line is short: how far before its token it is searched for after damage. */
const nameReach = 256

/**
 * Splits a stream into records and other lines (layout.ts has the grammar). Blank lines outside records are
 * dropped unless they are asked for. After damage it goes on at the next token that begins a record, ends the damaged one, or stands in a
 * map's name; in the closed part, which cannot hold a line end, at the next line.
 */
export function createFramer(
  token: string,
  frames: ReadonlyMap<string, Frame>,
  handlers: FrameHandlers,
): Framer {
  const size = token.length
  const marker = createMarker(token, frames)
  let text = ''
  let isEnded = false
  /** Inside damage: characters belong to nothing until a token says otherwise. */
  let isDamaged = false
  /** The line under way was reported, cut; the rest of it is dropped. */
  let isLineCut = false

  const markAt = (at: number): Mark => marker(text, at, isEnded)

  const showLine = (from: number, to: number) => {
    if (!isLineCut && to > from) handlers.other(text.slice(from, Math.min(to, from + maxLength)))
    isLineCut = false
  }

  /** Reports the whole lines of [from, to); returns where the unfinished one begins. */
  const showLines = (from: number, to: number): number => {
    let at = from
    for (;;) {
      const lineEnd = text.indexOf('\n', at)
      if (lineEnd === -1 || lineEnd >= to) return at
      if (lineEnd === at && !isLineCut) handlers.blank?.()
      showLine(at, lineEnd)
      at = lineEnd + 1
    }
  }

  /** Keeps of an unfinished line what is needed: all of it, or what may be a token's beginning. */
  const keepLine = (from: number): number => {
    if (text.length - from <= maxLength && !isLineCut) return from
    if (!isLineCut) handlers.other(text.slice(from, from + maxLength))
    isLineCut = true
    return Math.max(from, text.length - size - 2)
  }

  const damage = (code: string | null, reason: FaultReason, resume: number): number => {
    handlers.fault(code, reason)
    isDamaged = true
    return resume
  }

  const outside = (from: number): number => {
    let search = from
    for (;;) {
      const at = text.indexOf(token, search)
      if (at === -1) return -1 - keepLine(showLines(from, text.length))
      const mark = markAt(at)
      if (mark === 'name') {
        search = at + 1
        continue
      }
      const lineStart = showLines(from, at)
      if (mark === 'wait') return -1 - lineStart
      // What stands before an orphaned text or end on its line is a piece of the same damaged record.
      if (mark === 'text' || mark === 'end') isLineCut = false
      else showLine(lineStart, at)
      if (mark === 'begin') return record(at)
      if (mark === 'unknown') return damage(null, 'unknown-code', at + size)
      if (mark === 'junk' || mark === 'text') return damage(null, 'damaged', at + 1)
      handlers.fault(null, 'damaged')
      return at + size + 1
    }
  }

  const record = (start: number): number => {
    const taken = handlers.fast(start)
    return taken > start ? taken : carefully(start, text[start + size] ?? '')
  }

  const carefully = (start: number, code: string): number => {
    const limit = start + maxLength
    let from = start + size + 1
    let at = text.indexOf(token, from)
    const closedEnd = at === -1 ? text.length : at
    const lineEnd = text.slice(from, Math.min(closedEnd, limit)).indexOf('\n')
    if (lineEnd !== -1) {
      handlers.fault(code, 'damaged')
      return from + lineEnd + 1
    }
    const closed = text.slice(from, closedEnd)
    const texts: string[] = []
    const count = frames.get(code)?.texts ?? 0
    for (;;) {
      if (at === -1 ? text.length > limit : at + size >= limit) {
        return damage(code, 'too-long', start + size)
      }
      if (at === -1) return unfinished(start, code)
      const mark = markAt(at)
      if (mark === 'wait') return unfinished(start, code)
      if (mark === 'end' && texts.length === count) {
        handlers.record(code, closed, texts)
        return at + size + 1
      }
      if (mark !== 'text') return broken(start, code, at, mark)
      from = at + size + 1
      at = text.indexOf(token, from)
      texts.push(at === -1 ? '' : text.slice(from, at))
    }
  }

  const unfinished = (start: number, code: string): number => {
    if (!isEnded) return -1 - start
    handlers.fault(code, 'damaged')
    return text.length
  }

  /** The token at `at` is not the one this record needs. */
  const broken = (start: number, code: string, at: number, mark: Mark): number => {
    if (mark === 'begin' || mark === 'end') {
      handlers.fault(code, 'damaged')
      return mark === 'begin' ? at : at + size + 1
    }
    return damage(code, 'damaged', mark === 'name' ? start + size : at + 1)
  }

  const recover = (from: number): number => {
    let search = from
    for (;;) {
      const at = text.indexOf(token, search)
      if (at === -1) return -1 - Math.max(from, text.length - nameReach - size)
      const mark = markAt(at)
      const near = Math.max(from, at - nameReach)
      if (mark === 'wait') return -1 - near
      const lineEnd = mark === 'name' ? text.lastIndexOf('\n', at) : -1
      if (mark === 'begin' || mark === 'end' || lineEnd >= near) {
        isDamaged = false
        if (mark === 'begin') return at
        return mark === 'end' ? at + size + 1 : lineEnd + 1
      }
      search = at + 1
    }
  }

  /** Goes from one thing to the next; a step that needs more returns `-1 - rest`. */
  const run = (): number => {
    let at = 0
    while (at < text.length) {
      const next = isDamaged ? recover(at) : outside(at)
      if (next < 0) return -1 - next
      at = next
    }
    return text.length
  }

  return {
    push(next) {
      text = next
      const rest = run()
      text = ''
      return rest
    },
    end(rest) {
      text = rest
      isEnded = true
      const last = run()
      if (!isDamaged && last < rest.length) showLine(last, rest.length)
      text = ''
    },
  }
}
