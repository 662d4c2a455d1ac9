import type { TracepointField } from './facts.ts'

/** `sock:inet_sock_set_state`; anything else is no tracepoint and never becomes part of a path. */
const tracepointName = /^([A-Za-z0-9_]+):([A-Za-z0-9_]+)$/

/** Path of the format file below the root of tracefs, null when the name cannot be a tracepoint's. */
export function formatPath(tracepoint: string): string | null {
  const [, category, name] = tracepointName.exec(tracepoint) ?? []
  return category === undefined ? null : `events/${category}/${name}/format`
}

/** `field:__u8 saddr[4];	offset:32;	size:4;	signed:0;` as trace_format fields print it, kernel/trace/trace_events.c (f_show). */
const fieldLine = /^\tfield:([^;]+);\toffset:(\d+);\tsize:(\d+);(?:\tsigned:[01];)?$/gm

/** `__print_symbolic(REC->reason, { 2, "NO_SOCKET" }, …)` in the line `print fmt`. */
const symbolList = /__print_symbolic\(REC->(\w+)((?:,\s*\{[^{}]*\})+)\)/g
const symbol = /\{\s*(\d+|0x[0-9a-f]+),\s*"([^"]*)"\s*\}/g

/** Text of a tracepoint's format file -> its fields in order, the `common_` ones left out. */
export function parseFormat(text: string): TracepointField[] {
  const names = new Map(
    [...text.matchAll(symbolList)].flatMap(([, field = '', list = '']) => {
      const pairs = [...list.matchAll(symbol)].map(([, number, name]) => [Number(number), name])
      return pairs.length === 0 ? [] : [[field, Object.fromEntries(pairs)] as const]
    }),
  )
  return [...text.matchAll(fieldLine)]
    .map(([, declaration = '', offset, size]) => ({
      ...parseDeclaration(declaration),
      offset: Number(offset),
      size: Number(size),
    }))
    .filter((field) => !field.name.startsWith('common_'))
    .map((field) => (names.has(field.name) ? { ...field, names: names.get(field.name) } : field))
}

/** `__u8 saddr[4]` -> name, type and length. `__data_loc char[] name` has the brackets in its type (f_show). */
function parseDeclaration(declaration: string): { name: string; type: string; length: number } {
  const [, type = '', name = declaration, length] =
    /^(.*?)\s*([A-Za-z_]\w*)(?:\[([^\]]*)\])?$/.exec(declaration.trim()) ?? []
  return { name, type, length: Number(length ?? 0) || 0 }
}
