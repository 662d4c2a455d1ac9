// Holds what a workload expects against what came.

/** Whether a value is what was expected: equal, one of a choice, a number in a range, or a list with rules of its own. */
function fits(expected, value) {
  if (expected === null || typeof expected !== 'object') return expected === value
  if (Array.isArray(expected.any)) return expected.any.some((each) => fits(each, value))
  if (Array.isArray(expected.between)) {
    const [least, most] = expected.between
    return typeof value === 'number' && value >= least && value <= most
  }
  if (Array.isArray(expected.contains)) return fitsStack(expected.contains, value)
  if (Array.isArray(expected.starts)) return fitsStart(expected, value)
  if (Array.isArray(expected.readable)) {
    return (
      value === null ||
      (Array.isArray(value) &&
        value.every((each, index) => each === null || each === expected.readable[index]))
    )
  }
  return JSON.stringify(expected) === JSON.stringify(value)
}

/** A call stack: several functions, one of these among them. */
function fitsStack(names, value) {
  return (
    Array.isArray(value) &&
    value.length > 1 &&
    value.every((each) => /^[\w.]+\+\d+$/.test(each)) &&
    value.some((each) => names.some((name) => each.startsWith(name)))
  )
}

/** A list that may be cut: at least the first 20 items, or all. */
function fitsStart({ starts, length }, value) {
  return (
    Array.isArray(value) &&
    value.length >= Math.min(length, starts.length) &&
    value.length <= length &&
    starts.every((each, index) => each === value[index])
  )
}

function isBinding(expected) {
  return typeof expected?.same === 'string'
}

/** Whether a value is the one that has this name already, or can get it: no two names have the same value. */
function fitsBinding(bound, name, value) {
  return bound.has(name) ? bound.get(name) === value : !new Set(bound.values()).has(value)
}

function isInScope(scope, event) {
  return scope.some(({ field, values }) => values.includes(event[field]))
}

/** Counts and complaints of one cell. `wrong` is what was expected and did not come, and what came and was not expected. */
export function judge(lines, all, summary) {
  const scope = lines.find((line) => line.scope)?.scope ?? []
  const expectations = lines.filter((line) => line.expect).map((line) => line.expect)
  const total = lines.find((line) => line.total !== undefined)?.total ?? null
  const events = all.filter((event) => isInScope(scope, event))
  const left = [...events]
  const bound = new Map()
  const missing = expectations.filter((expected) => {
    const fields = Object.entries(expected)
    const at = left.findIndex((event) =>
      fields.every(([field, value]) =>
        isBinding(value) ? fitsBinding(bound, value.same, event[field]) : fits(value, event[field]),
      ),
    )
    if (at < 0) return true
    for (const [field, value] of fields)
      if (isBinding(value)) bound.set(value.same, left[at][field])
    left.splice(at, 1)
    return false
  })
  const expected = total ?? expectations.length
  const surplus = total === null ? left : []
  const wrong =
    missing.length + surplus.length + Math.abs(total === null ? 0 : events.length - total)
  const accounts = Object.values(summary?.events ?? {})
  const sum = (figure) => accounts.reduce((all, each) => all + (each[figure] ?? 0), 0)
  return {
    expected,
    delivered: events.length,
    lost: sum('lost'),
    faults: sum('faults') + (summary?.stray_faults ?? 0),
    missed: accounts.some((each) => each.missed === null) ? null : sum('missed'),
    account: summary?.account ?? 'none',
    wrong,
    complaints: [
      ...missing.slice(0, 3).map((each) => `missing ${JSON.stringify(each)}`),
      ...surplus.slice(0, 3).map((each) => `not expected ${JSON.stringify(each)}`),
    ],
    events,
  }
}
