import type { FieldSpec } from '../schema/define.ts'
import type { Kind } from '../schema/kinds.ts'
import { isDerivedFrom } from './derived.ts'
import type { FieldCode } from './fast-field.ts'
import type { WireField } from './layout.ts'
import { choose, writeBytes, type Piece } from './snippets.ts'

/** The fast source of a field that does not travel: a constant, derived from one that does, or null. */
export function fastDerived(field: FieldSpec, travelling: readonly WireField[]): FieldCode {
  if (field.kind === 'constant') {
    const value = JSON.stringify(field.always ?? null)
    return { read: '', line: [{ text: value }], value }
  }
  const of = travelling.find((candidate) => candidate.name === field.of)
  const code = of && codes[field.kind]?.(of.name)
  if (!of || !code || !isDerivedFrom(field, of.spec))
    return { read: '', line: [{ text: 'null' }], value: 'null' }
  return of.spec.nullAs === undefined ? code : unlessNull(of.name, code)
}

const codes: Partial<Record<Kind, (of: string) => FieldCode>> = {
  time: (of) => ({
    read: '',
    line: [
      { text: '"' },
      { code: `\n    o = support.writeTime(b, ${of}$from, ${of}$to, o)` },
      { text: '"' },
    ],
    value: `support.showTime(b, ${of}$from, ${of}$to)`,
  }),
  family: (of) => ({
    read: '',
    line: [{ code: `\n    output[o++] = ${familyOf(of)} + 48` }],
    value: familyOf(of),
  }),
  container: (of) => ({
    read: '',
    line: [
      {
        code: `
    {
    const ${of}$container = support.container(text.slice(${of}$from, ${of}$to))${choose(
      `${of}$container === null`,
      [{ text: 'null' }],
      [{ text: '"' }, { code: `\n    o = support.writeAscii(${of}$container, o)` }, { text: '"' }],
    )}
    }`,
      },
    ],
    value: `support.container(text.slice(${of}$from, ${of}$to))`,
  }),
  errno: (of) => ({
    read: '',
    line: [
      {
        code: choose(
          `${of}$n < 0`,
          [{ code: writeBytes(`resultJson(${of}$n)`) }],
          [{ text: 'null' }],
        ),
      },
    ],
    value: `${of}$n < 0 ? resultName(${of}$n) : null`,
  }),
}

function familyOf(address: string): string {
  return `(${address}$four || !${address}$text.includes(':') ? 4 : 6)`
}

function unlessNull(of: string, code: FieldCode): FieldCode {
  const line: Piece = { code: choose(`${of}$null`, [{ text: 'null' }], code.line) }
  return { read: '', line: [line], value: `${of}$null ? null : (${code.value})` }
}
