import { nameOf } from './pattern.ts'

/**
 * The attach points whose names are nearest to a name that is none: by letters where one was mistyped, else by the words that they
 * share, for names of the kernel are words joined by `_`. `distance` counts the letters in which two names differ.
 */
export function nearNames(
  wanted: string,
  lines: readonly string[],
  distance: (a: string, b: string) => number,
  most = 5,
): readonly string[] {
  const mistyped = lines
    .filter((line) => Math.abs(nameOf(line).length - wanted.length) <= mostLetters)
    .filter((line) => shareAnEnd(nameOf(line), wanted))
    .map((line) => ({ line, distance: distance(nameOf(line), wanted) }))
    .filter((each) => each.distance <= mostLetters)
    .sort((a, b) => a.distance - b.distance)
  if (mistyped.length > 0) return mistyped.slice(0, most).map(({ line }) => line)
  const words = wordsOf(wanted)
  return lines
    .map((line) => ({ line, score: likeness(words, wordsOf(nameOf(line))) }))
    .filter(({ score }) => score >= leastLikeness)
    .sort((a, b) => b.score - a.score || a.line.length - b.line.length)
    .slice(0, most)
    .map(({ line }) => line)
}

const mostLetters = 2
const leastLikeness = 0.5

/** A mistyped name has its first or its last letters right; to compare all 60,000 letter by letter would take seconds. */
function shareAnEnd(a: string, b: string): boolean {
  return a.slice(0, 3) === b.slice(0, 3) || a.slice(-3) === b.slice(-3)
}

function wordsOf(name: string): readonly string[] {
  return name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
}

/** Shared words of all words, from 0 to 1. */
function likeness(wanted: readonly string[], has: readonly string[]): number {
  const shared = wanted.filter((word) => has.includes(word)).length
  return shared / Math.max(wanted.length, has.length, 1)
}
