// The command itself, with the benchmark's probe in its catalogue: the cost is that of the real command.
import { builtin } from '../../dist/probes/index.js'
import { writes } from './probe.mjs'

const { summary, example } = writes
builtin.writes = { summary, example, aliases: [], load: async () => writes }
await import('../../dist/src/cli.js')
