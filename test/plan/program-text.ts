/** A printf of a rendered program: its format as written, and the text of its arguments. */
export interface Printf {
  readonly format: string
  readonly args: string
}

/** Every printf of a program. */
export function printfsOf(program: string): readonly Printf[] {
  return [...program.matchAll(/printf\("((?:[^"\\]|\\.)*)"(.*?)\);/g)].map((match) => ({
    format: match[1] ?? '',
    args: (match[2] ?? '').replace(/^, /, ''),
  }))
}

/** Arguments apart: commas inside brackets belong to one. */
export function argumentsOf(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (const [at, char] of [...text].entries()) {
    if ('([{'.includes(char)) depth += 1
    if (')]}'.includes(char)) depth -= 1
    if (char !== ',' || depth > 0) continue
    parts.push(text.slice(start, at).trim())
    start = at + 1
  }
  return text.trim() === '' ? [] : [...parts, text.slice(start).trim()]
}

/** String literals of a program outside printf formats, without their quotes. */
export function literalsOf(program: string): readonly string[] {
  const rest = program.replaceAll(/printf\("(?:[^"\\]|\\.)*"/g, 'printf(')
  return [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? '')
}
