import { builtin } from '../../probes/index.ts'
import { userFolder, userProbeNames } from '../catalog/user-folder.ts'

type Env = NodeJS.ProcessEnv

/** `ebpf-run list`: every probe with a line and an example, then those of the user's. */
export async function listText(env: Env): Promise<string> {
  return `${builtinText()}${madeText()}${await userText(env)}`
}

function builtinText(): string {
  return rowsOf(
    Object.entries(builtin).map(([name, { summary, example, aliases }]) => ({
      name,
      text: `${summary}${aliases.length > 0 ? ` (also ${aliases.join(', ')})` : ''}`,
      example,
    })),
  )
}

/** What becomes a probe by the words behind it. */
function madeText(): string {
  const rows = [
    {
      name: 'funccount',
      text: 'how often functions are called, of the kernel or of programs, and tracepoints are passed',
      example: "ebpf-run funccount 'tcp_*' --interval 1s",
    },
    {
      name: 'trace',
      text: 'events of any function, tracepoint, system call or mark',
      example: 'ebpf-run trace syscall:openat path=filename',
    },
  ]
  return `\nMade on the spot:\n${rowsOf(rows)}`
}

/** Who has no probes of their own pays for one look into a folder. */
async function userText(env: Env): Promise<string> {
  const folder = userFolder(env)
  if (userProbeNames(folder).length === 0) return ''
  const { userEntries } = await import('./user-list.ts')
  const entries = userEntries(folder).map(({ name, summary, example, problem }) => ({
    name,
    text: problem === null ? summary : `cannot be loaded: ${problem}`,
    example,
  }))
  return `\nYours, in ${folder}:\n${rowsOf(entries)}`
}

interface Row {
  readonly name: string
  readonly text: string
  readonly example: string
}

function rowsOf(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length))
  return rows
    .map(({ name, text, example }) => {
      const second = example === '' ? '' : `${' '.repeat(width)}  ${example}\n`
      return `${name.padEnd(width)}  ${text}\n${second}`
    })
    .join('')
}

/** `ebpf-run` and `ebpf-run --help`. */
export async function helpText(env: Env): Promise<string> {
  const probes = (await listText(env)).replace(/^(?=.)/gm, '  ').trimEnd()
  return `ebpf-run PROBE [filters] [--duration 60] [--count N] [-o table|ndjson|json|csv] [--out FILE]
ebpf-run list | describe PROBE | plan PROBE | print PROBE | schema PROBE | types PROBE
ebpf-run trace ATTACH-POINT | funccount PATTERN | new NAME --from ATTACH-POINT
ebpf-run script FILE.bt | pipe | replay FILE | doctor | completion

Probes:
${probes}

ebpf-run PROBE --help shows the fields and options of a probe.
Data go to stdout, everything else to stderr. Exit status: 0 fine, 1 failed while running,
2 usage, 3 an expectation was not met, 69 this host cannot do it, 70 the program was
rejected, 77 no permission, 128+n ended by force.
`
}
