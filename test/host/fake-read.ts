import type { Read } from '../../src/host/read.ts'

/** A machine made of files: path to text, or `!EACCES` for a file that cannot be read. */
export function readFrom(files: Readonly<Record<string, string>>): Read {
  return (path) => {
    const text = files[path]
    if (text === undefined) return { errno: 'ENOENT' }
    return text.startsWith('!') ? { errno: text.slice(1) } : { text }
  }
}
