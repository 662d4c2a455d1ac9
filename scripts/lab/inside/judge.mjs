// Holds what a workload expects against what came.

/** Whether a value is what was expected: equal, one of a choice, a number in a range, or a list with rules of its own. */
function fits(expected, value) {
  if (expected === null || typeof expected !== 'object') return expected === value
  if (Array.isArray(expected.any)) return expected.any.some((each) => fits(each, value))
  if (Array.isArray(expected.between)) {
    const [least, most] = expected.between
    return typeof value === 'number' && value >= least && value <= most
  }
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

/** A list that may be cut: at least the first 20 items, or all. */
function fitsStart({ starts, length }, value) {
  return (
    Array.isArray(value) &&
    value.length >= Math.min(length, starts.length) &&
    value.length <= length &&
    starts.every((each, index) => each === value[index])
  )
}

function isInScope(scope, event) {
  return scope.some(({ field, values }) => values.includes(event[field]))
}

/** The rows of a summary as the events that they stand for, and the expectations as far as their fields go. */
export function spread(lines, rows, by) {
  const known = (each) =>
    Object.fromEntries(Object.entries(each).filter(([field]) => by.includes(field)))
  return [
    lines.map((line) => (line.expect ? { expect: known(line.expect) } : line)),
    rows.flatMap((row) => Array.from({ length: row.count }, () => known(row))),
  ]
}

/** Counts and complaints of one cell. `wrong` is what was expected and did not come, and what came and was not expected. */
export function judge(lines, all, summary) {
  const scope = lines.find((line) => line.scope)?.scope ?? []
  const expectations = lines.filter((line) => line.expect).map((line) => line.expect)
  const total = lines.find((line) => line.total !== undefined)?.total ?? null
  const events = all.filter((event) => isInScope(scope, event))
  const left = [...events]
  const missing = expectations.filter((expected) => {
    const at = left.findIndex((event) =>
      Object.entries(expected).every(([field, value]) => fits(value, event[field])),
    )
    if (at >= 0) left.splice(at, 1)
    return at < 0
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
