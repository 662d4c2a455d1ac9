/** What framing must know of a record code: how many fields it has of each sort. */
export interface Frame {
  readonly closed: number
  readonly texts: number
}

/** What the two characters after a token make of it. `name`: it stands in a map's name. `wait`: they are not there yet. */
export type Mark = 'begin' | 'unknown' | 'text' | 'end' | 'name' | 'junk' | 'wait'

/** Tells what the token at `at` means. */
export type Marker = (text: string, at: number, isEnded: boolean) => Mark

/** The marker of one token and its record codes. */
export function createMarker(token: string, frames: ReadonlyMap<string, Frame>): Marker {
  return (text, at, isEnded) => {
    const next = text[at + token.length]
    if (next === undefined) return isEnded ? 'junk' : 'wait'
    if (next === '\t') return 'text'
    if (next === '\n') return 'end'
    if (text[at - 1] === '_' && (next === '_' || next === ':' || next === '[')) return 'name'
    if (!/[0-9a-z]/.test(next)) return 'junk'
    const after = text[at + token.length + 1]
    if (after === undefined) return isEnded ? 'junk' : 'wait'
    const frame = frames.get(next)
    // Two tokens in a row are no record, though the second may begin with a letter or digit that is a code.
    const expected = frame?.closed === 0 ? token[0] : '\t'
    if (after !== expected) return 'junk'
    return frame ? 'begin' : 'unknown'
  }
}
