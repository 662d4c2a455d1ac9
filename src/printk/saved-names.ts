/**
 * The kernel's list of recent names (saved_cmdlines): lines `TID NAME`, one character a byte. A name may hold a line end, and then
 * its rest looks like a line. So what stands there twice for a thread is not taken, nor is a line that is no entry or its neighbour.
 */
export function readSavedNames(text: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  const doubtful = new Set<number>()
  let last: number | null = null
  for (const line of text.split('\n')) {
    const [, digits, name] = /^(\d{1,7}) (.{1,15})$/s.exec(line) ?? []
    if (digits === undefined || name === undefined) {
      // The rest of the name before it: that one is not whole.
      if (last !== null && line !== '') doubtful.add(last)
      continue
    }
    const tid = Number(digits)
    if (names.has(tid)) doubtful.add(tid)
    names.set(tid, name)
    last = tid
  }
  for (const tid of doubtful) names.delete(tid)
  return names
}
