import { EbpfRunError } from '../errors.ts'

const includePattern = /^[ \t]*\{\{\s*include\s+([^\s}]+)\s*\}\}[ \t]*\n/gm

/** The files that a template includes, as they are named there. Throws BAD_DEFINITION for a name that is no file beside it. */
export function includesOf(source: string, where: string): readonly string[] {
  const names = [...source.matchAll(includePattern)].map((match) => match[1] ?? '')
  for (const name of names) {
    if (!/^(?:\.\.\/)?[a-z0-9-]+\.(?:bt|bcc\.c)$/.test(name))
      throw new EbpfRunError({
        code: 'BAD_DEFINITION',
        message: `${where}: cannot include ${name}`,
      })
  }
  return [...new Set(names)]
}

/** A template with its included files in their places. */
export function withIncludes(source: string, files: Readonly<Record<string, string>>): string {
  return source.replace(includePattern, (_, name: string) => files[name] ?? '')
}
