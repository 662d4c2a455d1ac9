import { EbpfRunError } from '../errors.ts'
import { codeRange, kinds } from '../schema/kinds.ts'
import {
  closeField,
  fieldText,
  openField,
  orNull,
  quoted,
  readInteger,
  unlessNull,
  unlessToken,
  type FieldCode,
  type FieldPlace,
  type Range,
} from './fast-field.ts'
import { charCode, copyField, isToken, writeBytes } from './snippets.ts'

type KindCode = (place: FieldPlace) => FieldCode

/** The fast source of one field of a kind that travels. */
export function fastKind(place: FieldPlace): FieldCode {
  const code = codes[place.spec.kind]
  if (code) return code(place)
  throw new EbpfRunError({
    code: 'BAD_DEFINITION',
    message: `field ${place.name}: kind ${place.spec.kind} does not travel`,
  })
}

const codes: Readonly<Record<string, KindCode>> = {
  u8: (place) => integerCode(place, kinds.u8.json),
  u16: (place) => integerCode(place, kinds.u16.json),
  u32: (place) => integerCode(place, kinds.u32.json),
  i32: (place) => integerCode(place, kinds.i32.json),
  duration: (place) => integerCode(place, kinds.duration.json),
  count: (place) => integerCode(place, kinds.count.json),
  u64: digitsCode,
  i64: signedDigitsCode,
  pointer: pointerCode,
  ktime: digitsCode,
  device: deviceCode,
  load: loadCode,
  enum: enumCode,
  result: resultCode,
  address: addressCode,
  text: textCode,
}

function integerCode(place: FieldPlace, range: Range): FieldCode {
  const { name } = place
  const read = readInteger(place, range)
  return orNull(place, { read, line: [{ code: copyField(name) }], value: `${name}$n` })
}

/** Digits that stay text. Those of 20 digits may be too large and go the careful way. */
function digitsCode(place: FieldPlace): FieldCode {
  const { name, refuse } = place
  const read = `${openField(place)}
    while ((b[i] ^ 48) <= 9${unlessToken(place)}) i++
    ${closeField(place)}
    if (i === ${name}$from || i > ${name}$from + 19) return ${refuse}
    if (b[${name}$from] === 48 && i > ${name}$from + 1) return ${refuse}`
  return orNull(place, { read, line: quoted(copyField(name)), value: fieldText(name) })
}

/** As `digitsCode`, with a sign before them; those of 19 digits go the careful way. */
function signedDigitsCode(place: FieldPlace): FieldCode {
  const { name, refuse } = place
  const read = `${openField(place)}
    const ${name}$first = b[i] === 45 ? ++i : i
    while ((b[i] ^ 48) <= 9${unlessToken(place)}) i++
    ${closeField(place)}
    if (i === ${name}$first || i > ${name}$first + 18) return ${refuse}
    if (b[${name}$first] === 48 && (i > ${name}$first + 1 || ${name}$first !== ${name}$from)) return ${refuse}`
  return orNull(place, { read, line: quoted(copyField(name)), value: fieldText(name) })
}

function pointerCode(place: FieldPlace): FieldCode {
  const { name, refuse } = place
  const read = `${openField(place)}
    while (((b[i] ^ 48) <= 9 || (b[i] >= 97 && b[i] <= 102))${unlessToken(place)}) i++
    ${closeField(place)}
    if (i === ${name}$from || i > ${name}$from + 16) return ${refuse}
    if (b[${name}$from] === 48 && i > ${name}$from + 1) return ${refuse}`
  const line = [{ text: '"0x' }, { code: copyField(name) }, { text: '"' }]
  return orNull(place, { read, line, value: `'0x' + ${fieldText(name)}` })
}

/** As `deviceText` says it. */
function deviceCode(place: FieldPlace): FieldCode {
  const { name } = place
  const read = readInteger(place, kinds.u32.json)
  const value = `((${name}$n >>> 20) + ':' + (${name}$n & 0xfffff))`
  return orNull(place, {
    read,
    line: quoted(`
    o = support.writeAscii(${value}, o)`),
    value,
  })
}

/** As `loadOf` says it. */
function loadCode(place: FieldPlace): FieldCode {
  const { name } = place
  const read = readInteger(place, kinds.count.json)
  const value = `support.loadOf(${name}$n)`
  const code = `
    o = support.writeAscii(String(${value}), o)`
  return orNull(place, { read, line: [{ code }], value })
}

function enumCode(place: FieldPlace): FieldCode {
  const { name, refuse, spec } = place
  const made = spec.flags === undefined ? '' : ` ?? flagNames.${name}(names.${name}, ${name}$n)`
  const read = `${readInteger(place, kinds.u32.json)}
    const ${name}$name = names.${name}[${name}$n]${made}
    if (${name}$name === undefined${unlessNull(place)}) return ${refuse}`
  const line = [{ code: writeBytes(`${name}$name`) }]
  return orNull(place, { read, line, value: `${name}$name` })
}

function resultCode(place: FieldPlace): FieldCode {
  const { name, spec } = place
  const own = spec.names === undefined ? '' : `names.${name}[${name}$n] ?? `
  const line = [
    { text: '{"code":' },
    { code: copyField(name) },
    { text: ',"name":' },
    { code: writeBytes(`${own}resultJson(${name}$n)`) },
    { text: '}' },
  ]
  const value = `{ code: ${name}$n, name: ${own}resultName(${name}$n) }`
  return orNull(place, { read: readInteger(place, codeRange(spec.wide === true)), line, value })
}

/** IPv4 is checked in place; all else is looked up among the addresses already checked. */
function addressCode(place: FieldPlace): FieldCode {
  const { name, output, refuse } = place
  const fourText = output === 'line' ? `''` : fieldText(name)
  const read = `${openField(place)}
    while (addressChars[b[i]] === 1${unlessToken(place)}) i++
    ${closeField(place)}
    const ${name}$four = isIPv4(b, ${name}$from, ${name}$to)
    const ${name}$text = ${name}$four ? ${fourText} : support.address(${fieldText(name)})
    if (${name}$text === null${unlessNull(place)}) return ${refuse}`
  const write = `
    if (${name}$four) {${copyField(name)}
    } else {
      o = support.writeAscii(${name}$text, o)
    }`
  return orNull(place, { read, line: quoted(write), value: `${name}$text` })
}

/** Texts that need no second look: for a line no character that JSON escapes, for an event all ASCII. */
function textCode(place: FieldPlace): FieldCode {
  const { name, spec, token, refuse } = place
  const limit =
    spec.bytes === undefined
      ? ''
      : `
    if (i > ${name}$from + ${spec.bytes}) return ${refuse}`
  const read = `${openField(place)}
    for (;;) {
      while (textChars[b[i]] === 1) i++
      if (b[i] !== ${charCode(token)}) return ${refuse}
      if (${isToken(token)}) break
      i++
    }
    ${closeField(place)}${limit}
    i += ${token.length}`
  return orNull(place, { read, line: quoted(copyField(name)), value: fieldText(name) })
}
