import { nearest } from '../catalog/nearest.ts'
import { EbpfRunError } from '../errors.ts'
import type { RunOption } from './options.ts'
import type { Parsed } from './target.ts'

/** The text of an option that is given once, or its default. Throws CONFLICT when it is given twice, BAD_VALUE. */
export function only(parsed: Parsed, name: string, options: readonly RunOption[]): string | null {
  const texts = parsed.texts[name] ?? []
  if (texts.length > 1)
    throw new EbpfRunError({
      code: 'CONFLICT',
      message: `--${name} was given ${texts.length} times`,
      found: texts.join(', '),
      remedy: `give --${name} once`,
    })
  const option = options.find((each) => each.name === name)
  const value = texts[0] ?? option?.default ?? null
  const choices = option?.choices
  if (value !== null && choices !== undefined && !choices.includes(value)) {
    const close = nearest(value, choices)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: `--${name}: one of ${choices.join(', ')} was expected`,
      expected: choices.join(', '),
      found: JSON.stringify(value),
      remedy:
        close === null ? `for example --${name} ${choices[0]}` : `did you mean --${name} ${close}?`,
    })
  }
  return value
}
