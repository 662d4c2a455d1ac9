import { attachPointOptions, type CommandSpec } from './commands.ts'
import type { Io } from './io.ts'
import { only } from './only.ts'
import { baseOf, type Target } from './target.ts'

/**
 * The target of a command line and the words that are left to read. What knows all probes and their filters is loaded for those
 * that may be about one alone: to load it takes as long as these answers do. Throws USAGE, UNKNOWN_PROBE, BAD_RECORDING.
 */
export async function findTarget(
  spec: CommandSpec,
  words: readonly string[],
  env: Io['env'] = process.env,
): Promise<{ target: Target; rest: readonly string[] }> {
  if (spec.name === 'list') return { target: await listTarget(spec), rest: words }
  const [word = '', ...rest] = words
  // What has a colon is an attach point, all else a probe.
  if (spec.name === 'describe' && !word.startsWith('-') && word.includes(':'))
    return { target: await attachPointTarget(spec, word), rest }
  const { findProbeTarget } = await import('./probe-target.ts')
  return findProbeTarget(spec, words, env)
}

async function listTarget(spec: CommandSpec): Promise<Target> {
  const { listCommand } = await import('./list-command.ts')
  const options = typeof spec.options === 'string' ? [] : spec.options
  return { ...baseOf(spec), options, run: (parsed, io) => listCommand(parsed, options, io) }
}

async function attachPointTarget(spec: CommandSpec, word: string): Promise<Target> {
  const { describeAttachPoint } = await import('./describe-attach-point.ts')
  const options = attachPointOptions
  return {
    ...baseOf(spec),
    title: `${spec.name} ${word}`,
    options,
    run: (parsed, io) =>
      describeAttachPoint(
        word,
        {
          expand: only(parsed, 'expand', options),
          output: only(parsed, 'output', options) === 'json' ? 'json' : 'table',
        },
        io,
      ),
  }
}
