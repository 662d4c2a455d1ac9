// A table {title, text, head, rows} for the terminal and for docs/bench.md.

export function consoleText({ title, text, head, rows }) {
  const lines = [head, ...rows].map((row) => row.map(String))
  const widths = head.map((_, index) => Math.max(...lines.map((line) => line[index].length)))
  const cell = (value, index) =>
    index === 0 ? value.padEnd(widths[0]) : value.padStart(widths[index])
  return `\n${title}: ${text}\n${lines.map((line) => `  ${line.map(cell).join('  ')}`).join('\n')}`
}

/** Lines of at most 120 characters, as in the other pages. */
function wrapped(text) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`.trimStart()
    if (line.length <= 120) lines[lines.length - 1] = line
    else lines.push(word)
  }
  return lines.join('\n')
}

function markdown({ title, text, head, rows }) {
  const line = (cells) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', String.raw`\|`)).join(' | ')} |`
  const rule = head.map((_, index) => (index === 0 ? '---' : '--:'))
  return `## ${title}\n\n${text}\n\n${[head, rule, ...rows].map(line).join('\n')}\n`
}

/** docs/bench.md: what `npm run bench -- --write` measured last. */
export function pageText({ host, tables }) {
  return [
    '# Ratios of speed\n',
    'Written by `npm run bench -- --write` in one run; do not edit. Only the ratios say something: absolute figures are',
    'those of this machine, and some of it is noise.\n',
    wrapped(`Machine: ${host}.\n`),
    ...tables.map(markdown),
  ].join('\n')
}
