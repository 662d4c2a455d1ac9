import { describe, expect, test } from 'vitest'
import { exec, execs, pipe, written } from './helpers.ts'

describe('the json sink', () => {
  test('writes an array with one event a line', () => {
    const text = written('json', pipe(), [exec, { ...exec, pid: 2 }], {
      probe: execs,
      fields: ['pid'],
    })

    expect(text).toMatchInlineSnapshot(`
      "[
      {"event":"exec","pid":4711},
      {"event":"exec","pid":2}
      ]
      "
    `)
  })

  test('writes an empty array when there was no event', () => {
    const text = written('json', pipe(), [], { probe: execs })

    expect(JSON.parse(text)).toEqual([])
  })

  test('writes events that parse back to themselves', () => {
    const event = { ...exec, comm: '"\n\\', argv: ['\u2028', null], cut: ['argv'] }

    const text = written('json', pipe(), [event], { probe: execs })

    expect(JSON.parse(text)).toEqual([event])
  })
})
