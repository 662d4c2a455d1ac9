import { EbpfRunError } from '../errors.ts'
import type { LoadedProbe } from '../plan/plan.ts'
import { allowOption } from './commands.ts'
import { optionsOf } from './options.ts'
import { helpOption } from './words.ts'

/** A probe whose own options have names that no other option has. Throws BAD_DEFINITION. */
export function withFreeOptions(probe: LoadedProbe): LoadedProbe {
  const { spec } = probe
  const { params = {}, switches = {}, libraries = {}, ...rest } = spec
  const taken = new Set([...optionsOf(rest), allowOption, helpOption].map(({ name }) => name))
  const wrong = [
    ...Object.keys(params).map((name) => ({ name, place: `/params/${name}` })),
    ...Object.keys(switches).map((name) => ({ name, place: `/switches/${name}` })),
    ...Object.keys(libraries).map((name) => ({ name, place: `/libraries/${name}` })),
  ].filter(
    ({ name }, at, all) => taken.has(name) || all.findIndex((each) => each.name === name) < at,
  )
  const [first] = wrong
  if (first === undefined) return probe
  throw new EbpfRunError({
    code: 'BAD_DEFINITION',
    message: `${spec.name}: ${first.place}: there is an option --${first.name} already`,
    found: wrong.map(({ place }) => place).join(', '),
    remedy: 'give it another name in probe.json and in the templates',
  })
}
