import { expect, test } from 'vitest'
import { builtin } from '../../probes/index.ts'
import type { ProbeSpec } from '../../src/schema/define.ts'
import { checkDefinition } from '../../src/catalog/check-definition.ts'

const event = {
  doc: 'one',
  fields: { ktime_ns: { kind: 'ktime', doc: '' }, time: { kind: 'time', of: 'ktime_ns', doc: '' } },
  table: ['time'],
}
const sound = {
  name: 'mine',
  summary: 's',
  example: 'e',
  owner: 'task',
  events: { hit: event },
  variants: [
    {
      name: 'kprobe',
      backend: 'bpftrace',
      template: 'kprobe.bt',
      needs: [],
      cannotTell: {},
      misses: '',
      cost: '',
    },
  ],
}

const withField = (field: object) => ({
  events: { hit: { ...event, fields: { ...event.fields, a: field } } },
})

test('a sound definition is taken as it is', () => {
  const constant = withField({ kind: 'constant', doc: '', always: 'task' })

  expect(checkDefinition(structuredClone(sound), 'x')).toEqual(sound)
  expect(checkDefinition({ ...sound, ...constant }, 'x')).toMatchObject(constant)
})

test.each([
  [
    'a field whose name is code',
    { events: { hit: { ...event, fields: { 'a;b': event.fields.ktime_ns } } } },
  ],
  ['an event whose name is code', { events: { 'x}': event } }],
  [
    'a kind that is none',
    { events: { hit: { ...event, fields: { a: { kind: 'nope', doc: '' } } } } },
  ],
  ['a template outside its folder', { variants: [{ ...sound.variants[0], template: '../x.bt' }] }],
  ['a table of what is not there', { events: { hit: { ...event, table: ['nope'] } } }],
  ['a time of no clock', { events: { hit: { ...event, fields: { time: event.fields.time } } } }],
  ['no events', { events: {} }],
  ['more than a definition has', { surplus: 1 }],
  ['a constant without its text', withField({ kind: 'constant', doc: '' })],
  [
    'a constant whose text ends a comment',
    withField({
      kind: 'constant',
      doc: '',
      always: '\u2028 return -1 }, [process.exit(3)]() { //',
    }),
  ],
  ['a number that is always the same', withField({ kind: 'u32', doc: '', always: '7' })],
  [
    'a null value that is code',
    {
      events: {
        hit: { ...event, fields: { ...event.fields, a: { kind: 'u32', doc: '', nullAs: "0'" } } },
      },
    },
  ],
])('%s is refused', (_, change) => {
  expect(() => checkDefinition({ ...sound, ...change }, 'x')).toThrow(/x: /)
})

test.each([
  ['an event that every object has', { events: { constructor: event } }],
  ['a variant twice', { variants: [sound.variants[0], sound.variants[0]] }],
  ['a bpftrace template for bcc', { variants: [{ ...sound.variants[0], backend: 'bcc' }] }],
  [
    'a field that cannot be told and is not there',
    { variants: [{ ...sound.variants[0], cannotTell: { nope: 'x' } }] },
  ],
  ['failures of what is no field', { failed: [{ field: 'nope', min: -1, max: -1 }] }],
  ['a preset outside of its limits', { params: { min: { doc: '', default: 5, min: 0, max: 4 } } }],
  ['a switch of no event', { switches: { more: { doc: '', events: ['nope'] } } }],
  [
    'an enum without names',
    { events: { hit: { ...event, fields: { ...event.fields, a: { kind: 'enum', doc: '' } } } } },
  ],
])('%s is refused with its place', (_, change) => {
  expect(() => checkDefinition({ ...sound, ...change }, 'x')).toThrow(/x: \/\w/)
})

const withNeed = (need: object) => ({
  ...sound,
  variants: [{ ...sound.variants[0], needs: [need] }],
})

test.each([
  { tracepoint: '../../etc/shadow' },
  { tracepoint: 'a:../b' },
  { function: 'x; y', by: 'kprobe' },
  { function: 'tcp_connect' },
  { uprobe: 'f', library: 'lib/x' },
  { uprobe: 'f', library: '/lib/x:y' },
  { uprobe: 'f', library: '/lib//x' },
  { usdt: 'mark', library: 'libc' },
  { usdt: 'a:mark', library: 'libc', reads: [-1] },
  { uprobe: 'f', library: 'libc', reads: [0] },
  { uprobe: 'f' },
  { btf: 'sock' },
  { bpftrace: 'new' },
  { fields: ['a'] },
  { tracepoint: 'a:b', headers: true },
  { nothing: 1 },
  {},
])('the need %j is refused', (need) => {
  expect(() => checkDefinition(withNeed(need), 'x')).toThrow(/x: \/variants\/0\/needs\/0/)
})

test('every problem is told, with its JSON pointer', () => {
  const wrong = { ...sound, owner: 'nobody', surplus: 1, events: { hit: { ...event, table: [] } } }
  try {
    checkDefinition(wrong, 'probe.json')
    expect.unreachable()
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_DEFINITION' })
    const { found } = error as { found: string }
    expect(found).toContain('/owner: must be one of task, socket')
    expect(found).toContain('/: must NOT have additional properties ("surplus")')
    expect(found).toContain('/events/hit/table: ')
  }
})

test.each(Object.keys(builtin))('%s of the catalogue passes', async (name) => {
  const spec: ProbeSpec = await builtin[name as keyof typeof builtin].load()

  expect(checkDefinition(structuredClone(spec), name)).toEqual(spec)
})
