import type { ProbeSpec } from '../schema/define.ts'
import { fieldsMarkdown } from '../schema/docs.ts'
import { optionTable } from './option-table.ts'
import { optionsOf, runOptions } from './options.ts'

/** README.md of a probe of the user's: the headings and tables of the catalogue's pages. `command` made it. */
export function probePage(probe: ProbeSpec, command: string): string {
  const { name, summary, failed, variants } = probe
  const own = optionsOf(probe).filter((option) => !runOptions.includes(option))
  const outcome = failed === undefined ? '' : ' [--failed | --ok]'
  const docs = Object.values(probe.events).map(({ doc }) => doc)
  const templates = variants.map(({ template }) => `\`${template}\``).join(', ')
  const sections: Readonly<Record<string, string>> = {
    NAME: `${name} - ${summary}`,
    SYNOPSIS: `    ebpf-run ${name} [filters]${outcome} [options of every run]`,
    DESCRIPTION: `Shows ${docs.join('; ')}.\n\nIt was made by\n\n    ${command}`,
    REQUIREMENTS:
      'bpftrace 0.11 or newer, and root. What each variant needs is in the table under FIELDS.',
    OPTIONS: `${optionTable(own)}\n\n\`ebpf-run ${name} --help\` lists the options of every run too.`,
    EXAMPLES: [
      `For one minute:\n\n    ebpf-run ${name} --duration 60`,
      `As JSON lines:\n\n    ebpf-run ${name} -o ndjson`,
      `The TypeScript types of its events:\n\n    ebpf-run types ${name} > ${name}.d.ts`,
    ].join('\n\n'),
    FIELDS: fieldsMarkdown(probe).trimEnd(),
    OVERHEAD: 'Not measured. The table of variants says what runs for each event.',
    SOURCE: `\`probe.json\` defines the fields. Templates of the programs: ${templates}. \`ebpf-run print ${name}\` shows
the program as it would run on this machine. \`workload.sh\` and \`probe.test.mjs\` are a beginning of a test.`,
    OS: 'Linux',
    STABILITY: 'What an argument or a member of the kernel means can change with the kernel.',
    'SEE ALSO': '`ebpf-run trace --help`, `ebpf-run describe ATTACH-POINT`',
  }
  const body = Object.entries(sections).map(([title, text]) => `## ${title}\n\n${text}\n`)
  return [`# ${name}\n`, ...body].join('\n')
}
