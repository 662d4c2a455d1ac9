import { nearest } from '../catalog/nearest.ts'
import { EbpfRunError } from '../errors.ts'
import { filterFlags } from '../plan/params.ts'
import { bccHint } from './bcc-options.ts'
import { filterGroup } from './options.ts'
import type { Target } from './target.ts'

/** Filters of any probe. */
const filterNames: readonly string[] = [...filterFlags.map(({ flag }) => flag), 'failed', 'ok']

/** UNKNOWN_OPTION with what to type instead: for an option of bcc's, for a filter of other probes, for a mistyped one. */
export function unknownOption(
  typed: string,
  { probe, options }: Pick<Target, 'probe' | 'options'>,
): EbpfRunError {
  const name = typed.replace(/^--?/, '')
  const error = (message: string, remedy: string): EbpfRunError =>
    new EbpfRunError({ code: 'UNKNOWN_OPTION', message, remedy })
  const traces = options.some((option) => option.name === 'duration')
  const hint = traces ? bccHint(name, probe, options) : null
  if (hint !== null) return error(`there is no option ${typed}`, `use ${hint}`)
  if (traces && typed.startsWith('--') && filterNames.includes(name)) {
    const filters = options.filter(({ group }) => group === filterGroup)
    return error(
      `${probe ?? 'this command'} has no filter ${typed}; other probes have it`,
      filters.length === 0
        ? 'leave it out: it has no filters'
        : `its filters: ${filters.map((each) => `--${each.name}`).join(', ')}`,
    )
  }
  const close = nearest(
    name,
    options.flatMap((option) => (option.hidden ? [] : [option.name])),
  )
  return error(
    `there is no option ${typed}`,
    close !== null ? `did you mean --${close}?` : '--help shows all options',
  )
}
