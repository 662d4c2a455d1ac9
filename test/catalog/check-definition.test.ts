import { expect, test } from 'vitest'
import { builtin } from '../../probes/index.ts'
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

test('a sound definition is taken as it is', () => {
  expect(checkDefinition(structuredClone(sound), 'x')).toEqual(sound)
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

test('the probes of the catalogue that have no options of their own would pass', async () => {
  const { default: spec } = await import('../../probes/execsnoop/probe.ts')
  expect(Object.keys(builtin)).toContain('execsnoop')
  expect(checkDefinition(structuredClone(spec), 'execsnoop').name).toBe('execsnoop')
})
