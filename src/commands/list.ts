import { builtin } from '../../probes/index.ts'

/** `ebpf-run list`: every probe with a line and an example. */
export function listText(): string {
  const width = Math.max(...Object.keys(builtin).map((name) => name.length))
  return Object.entries(builtin)
    .map(
      ([name, { summary, example, aliases }]) =>
        `${name.padEnd(width)}  ${summary}${aliases.length > 0 ? ` (also ${aliases.join(', ')})` : ''}\n${' '.repeat(width)}  ${example}\n`,
    )
    .join('')
}

/** `ebpf-run` and `ebpf-run --help`. */
export function helpText(): string {
  return `ebpf-run PROBE [filters] [--duration 60] [--count N] [-o table|ndjson|json|csv] [--out FILE]
ebpf-run list | describe PROBE | plan PROBE | print PROBE | schema PROBE | doctor
ebpf-run replay FILE | completion

Probes:
${listText().replace(/^/gm, '  ').trimEnd()}

ebpf-run PROBE --help shows the fields and options of a probe.
Data go to stdout, everything else to stderr. Exit status: 0 fine, 1 failed while running,
2 usage, 3 an expectation was not met, 69 this host cannot do it, 70 the program was
rejected, 77 no permission, 128+n ended by force.
`
}
