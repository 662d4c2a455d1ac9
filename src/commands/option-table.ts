import { markdownTable } from '../schema/docs.ts'
import type { RunOption } from './options.ts'

/** Markdown: a table of options, as it stands in the README files. */
export function optionTable(options: readonly RunOption[]): string {
  return markdownTable(
    ['Option', 'Meaning'],
    options.map(({ name, short, metavar, doc, choices, default: preset }) => {
      const flag = `${short === undefined ? '' : `-${short}, `}--${name}${metavar === undefined ? '' : ` ${metavar}`}`
      const more = [
        ...(choices === undefined ? [] : [`one of ${choices.join(', ')}`]),
        ...(preset === undefined ? [] : [`default ${preset}`]),
      ]
      return [`\`${flag}\``, [doc, ...more].join('; ')]
    }),
  )
}
