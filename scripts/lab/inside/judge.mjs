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

function hasAll(fields, event) {
  return Object.entries(fields).every(([field, value]) => fits(value, event[field]))
}

/**
 * Events that a rule speaks of and that are not as it says. Where the kernel did not run programs (`missed`), nobody may have learned
 * what a rule asks for: as many events may have null in its place, and none another value.
 */
function breaches(lines, events, missed) {
  const rules = lines.filter((line) => line.rule).map((line) => line.rule)
  const isBreach = (event, isFit) =>
    rules.some(
      ({ where, fields }) =>
        hasAll(where, event) &&
        !Object.entries(fields).every(([field, value]) => isFit(value, event[field])),
    )
  const unlike = events.filter((event) => isBreach(event, fits))
  const wrong = unlike.filter((event) =>
    isBreach(event, (expected, value) => value === null || fits(expected, value)),
  )
  return unlike.length - wrong.length <= missed ? wrong : unlike
}

function isBinding(expected) {
  return typeof expected?.same === 'string'
}

/** Whether a value is the one that has this name already, or can get it: no two names have the same value. */
function fitsBinding(bound, name, value) {
  return bound.has(name) ? bound.get(name) === value : !new Set(bound.values()).has(value)
}

/** Where and when events are the workload's. */
function scopeOf(lines) {
  const { scope = [], since = '' } = lines.find((line) => line.scope) ?? {}
  return { scope, since, until: lines.find((line) => line.until)?.until ?? '~' }
}

/** Whether an event is the workload's: one of its values, and of the time that it was there (as RFC 3339 texts order); groups have no time. */
function isInScope({ scope, since, until }, event) {
  const time = event.time ?? since
  return (
    time >= since &&
    time <= until &&
    scope.some(({ field, values }) => values.includes(event[field]))
  )
}

/** The events, or groups, that are the workload's. */
export function ownEvents(lines, events) {
  const scope = scopeOf(lines)
  return events.filter((event) => isInScope(scope, event))
}

/** The rows of a summary as the events that they stand for, and the expectations as far as their fields go. */
export function spread(lines, rows, by) {
  const known = (each) =>
    Object.fromEntries(Object.entries(each).filter(([field]) => by.includes(field)))
  return [
    lines.map((line) => {
      if (line.expect) return { expect: known(line.expect) }
      return line.atLeast ? { atLeast: known(line.atLeast) } : line
    }),
    rows.flatMap((row) => Array.from({ length: row.count }, () => known(row))),
  ]
}

const digits = (value) => typeof value === 'string' && /^\d+$/.test(value)
const isWhole = (value) => digits(value) || (Number.isInteger(value) && value >= 0)

/** Quantities whose sum, or whose largest bucket (a power of two), is not what the expectations make. */
export function wrongSums(lines, rows) {
  const scope = scopeOf(lines)
  const expectations = lines.filter((line) => line.expect).map((line) => line.expect)
  const own = rows.filter((row) => isInScope(scope, row))
  const quantities = Object.keys(expectations[0] ?? {}).filter((field) =>
    own.some((row) => row[`${field}_sum`] !== undefined),
  )
  return quantities.flatMap((field) => {
    // Each is a number, or a choice of some.
    const values = expectations
      .map((each) => (each[field]?.any ?? [each[field]]).filter(isWhole).map(BigInt))
      .filter((choice) => choice.length > 0)
    const sums = own
      .map((row) => row[`${field}_sum`])
      .filter(digits)
      .map(BigInt)
    const bounds = own
      .map((row) => row[`${field}_p99`])
      .filter(digits)
      .map(BigInt)
    const largest = (numbers) => numbers.reduce((one, other) => (one > other ? one : other), 0n)
    const add = (numbers) => numbers.reduce((one, other) => one + other, 0n)
    const smallest = (numbers) => numbers.reduce((one, other) => (one < other ? one : other))
    const [least, most] = [smallest, largest].map((pick) => add(values.map(pick)))
    const bound = 1n << BigInt(largest(values.map(largest)).toString(2).length)
    const sum = add(sums)
    return [
      ...(sum >= least && sum <= most ? [] : [`${field}: ${sum} in place of ${least}`]),
      ...(largest(bounds) === bound
        ? []
        : [`${field}: below ${largest(bounds)} in place of ${bound}`]),
    ]
  })
}

/** Buckets of a linear histogram, over all groups, that do not hold what the expectations make. */
export function wrongBuckets(lines, rows, { field, min, max, step }) {
  const scope = scopeOf(lines)
  const add = (counts, [name, count]) => counts.set(name, (counts.get(name) ?? 0) + count)
  const nameOf = ({ ge, lt }) => `${ge ?? ''}..${lt ?? ''}`
  const bucketOf = (value) => {
    if (value < min) return { lt: min }
    if (value >= max) return { ge: max }
    const ge = min + Math.floor((value - min) / step) * step
    return { ge, lt: ge + step }
  }
  const expected = lines
    .flatMap((line) => (digits(line.expect?.[field]) ? [Number(line.expect[field])] : []))
    .map((value) => [nameOf(bucketOf(value)), 1])
    .reduce(add, new Map())
  const found = rows
    .filter((row) => isInScope(scope, row))
    .flatMap(({ buckets }) => buckets.map((bucket) => [nameOf(bucket), bucket.count]))
    .reduce(add, new Map())
  const names = [...new Set([...expected.keys(), ...found.keys()])]
  return [
    ...names
      .filter((name) => expected.get(name) !== found.get(name))
      .map(
        (name) =>
          `${field} ${name}: ${found.get(name) ?? 0} in place of ${expected.get(name) ?? 0}`,
      ),
    ...(expected.size > 2
      ? []
      : [`${field}: the workload fills ${expected.size} buckets, too few`]),
  ]
}

/** What a run's own account says, over all types of events. */
export function figuresOf(summary) {
  const accounts = Object.values(summary?.events ?? {})
  const sum = (figure) => accounts.reduce((all, each) => all + (each[figure] ?? 0), 0)
  return {
    lost: sum('lost'),
    faults: sum('faults') + (summary?.stray_faults ?? 0),
    missed: accounts.some((each) => each.missed === null) ? null : sum('missed'),
    account: summary?.account ?? 'none',
  }
}

/**
 * Counts and complaints of one cell. `wrong` is what was expected and did not come, and what came and was not expected. As often as
 * the run says that the kernel skipped a program (`missed`), an event may be absent: Linux 7 preempts programs, and skips others then.
 */
export function judge(lines, all, summary) {
  const scope = scopeOf(lines)
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
  // Of some events nobody can say how many come: rules hold for all of them.
  const isOpen = lines.some((line) => line.others)
  const least = lines.filter((line) => line.atLeast).length
  const expected = total ?? (isOpen ? least : expectations.length)
  const surplus = total === null && !isOpen ? left : []
  const figures = figuresOf(summary)
  const unseen = lines
    .filter((line) => line.atLeast && !events.some((event) => hasAll(line.atLeast, event)))
    .map((line) => line.atLeast)
  const missed = figures.missed ?? 0
  const skipped = Math.min(missing.length, missed)
  const unlike = breaches(lines, events, missed - skipped)
  const wrong =
    missing.length -
    skipped +
    surplus.length +
    unlike.length +
    unseen.length +
    Math.abs(total === null ? 0 : events.length - total)
  return {
    expected,
    delivered: events.length,
    ...figures,
    wrong,
    complaints: [
      ...missing
        .slice(0, 3)
        .map((each, at) => `${at < skipped ? 'skipped' : 'missing'} ${JSON.stringify(each)}`),
      ...unseen.slice(0, 3).map((each) => `missing ${JSON.stringify(each)}`),
      ...[...surplus, ...unlike].slice(0, 3).map((each) => `not expected ${JSON.stringify(each)}`),
    ],
    events,
  }
}
