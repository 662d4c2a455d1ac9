import type { Token } from './lexer.ts'

/*
 * A script as a template: its own text, but maps are named by a directive, which gives them the run's token, comments are gone, and
 * no brace of its own can be taken for a directive's.
 */

/** Text between directives. */
export function templateText(tokens: readonly Token[]): string {
  return tokens
    .map((token, at) => {
      if (token.kind !== 'map') return plainText(token, tokens[at - 1], tokens[at + 1])
      const isBeforeBrace = tokens[at + 1]?.text === '}'
      return `{{map ${token.text.slice(1)}}}${isBeforeBrace ? ' ' : ''}`
    })
    .join('')
}

/** An expression on one line, as it stands within a directive. */
export function expressionText(tokens: readonly Token[]): string {
  return tokens
    .map((token) => {
      if (token.kind === 'map') return mapText(token.text)
      if (token.kind === 'space' || token.kind === 'comment') return ' '
      return plainText(token, undefined, undefined)
    })
    .join('')
    .trim()
}

export function mapText(name: string): string {
  return `{map ${name.slice(1)}}`
}

function plainText(token: Token, before: Token | undefined, after: Token | undefined): string {
  const { kind, text } = token
  if (kind === 'comment') return text.replace(/[^\n]+/g, ' ')
  if (kind === 'string')
    return text.replaceAll('{', '\\x7b').replaceAll('}', '\\x7d').replaceAll('\n', '\\n')
  if (kind === 'preprocessor')
    return text.startsWith('#!') ? '' : text.replace(/\{(?=\{)/g, '{ ').replace(/\}(?=\})/g, '} ')
  const opens = text === '{' && after?.text === '{'
  const closes = text === '}' && before?.kind !== 'space' && before?.text === '}'
  return `${closes ? ' ' : ''}${text}${opens ? ' ' : ''}`
}
