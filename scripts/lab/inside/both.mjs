// What both back-ends saw of the same traffic: what one said, the other must have said too, field by field.

export const backends = ['bpftrace', 'bcc']

/** The accounts of both as one: what either of them lost counts. */
function joined(ours, theirs) {
  const sum = (figure) => ours[figure] + theirs[figure]
  return {
    lost: sum('lost'),
    faults: sum('faults'),
    missed: ours.missed === null || theirs.missed === null ? null : sum('missed'),
    account: ours.account === 'exact' ? theirs.account : ours.account,
  }
}

/** As the rows of other cells, where `expected` is what bpftrace said, and `delivered` what bcc said. */
function row(ours, theirs, wrong, complaints) {
  const empty = ours.events.length === 0 ? ['no events of the workload'] : []
  return {
    expected: ours.events.length,
    delivered: theirs.events.length,
    ...joined(ours, theirs),
    wrong: wrong + empty.length,
    complaints: [...empty, ...complaints],
  }
}

const textOf = (value) => JSON.stringify(value) ?? 'nothing'

/** Lists by a key that is made of some fields. */
function grouped(events, fields) {
  const groups = new Map()
  for (const event of events) {
    const key = JSON.stringify(fields.map((field) => event[field]))
    groups.set(key, [...(groups.get(key) ?? []), event])
  }
  return groups
}

/**
 * Events of both, paired by their key and then by their order in time; one that has no other counts as wrong, but for as many as the
 * kernel skipped of the other's programs (`missed`), and so does a field that differs.
 */
export function compareEvents({ key, exceptions, untold }, ours, theirs) {
  const inOrder = (events) =>
    events.toSorted((a, b) => (BigInt(a.ktime_ns) < BigInt(b.ktime_ns) ? -1 : 1))
  const [one, other] = [ours, theirs].map(({ events }) => grouped(inOrder(events), key))
  const silent = new Set([...(untold[ours.variant] ?? []), ...(untold[theirs.variant] ?? [])])
  const isSame = comparison(exceptions, silent)
  const lonely = { bpftrace: [], bcc: [] }
  const unlike = new Map()
  for (const name of new Set([...one.keys(), ...other.keys()])) {
    const [mine, its] = [one.get(name) ?? [], other.get(name) ?? []]
    const pairs = Math.min(mine.length, its.length)
    for (const event of mine.slice(pairs)) lonely.bpftrace.push(event)
    for (const event of its.slice(pairs)) lonely.bcc.push(event)
    for (let at = 0; at < pairs; at += 1)
      for (const field of new Set([...Object.keys(mine[at]), ...Object.keys(its[at])]))
        if (!isSame(field, mine[at][field], its[at][field]))
          unlike.set(field, [
            ...(unlike.get(field) ?? []),
            `${name}: ${textOf(mine[at][field])} by bpftrace, ${textOf(its[at][field])} by bcc`,
          ])
  }
  const differing = [...unlike].map(
    ([field, all]) => `${field} differs ${all.length} times, in ${all[0]}`,
  )
  const beyond = (alone, other) => Math.max(0, alone.length - (other.missed ?? 0))
  const alone = beyond(lonely.bpftrace, theirs) + beyond(lonely.bcc, ours)
  const wrong = [...unlike.values()].reduce((sum, all) => sum + all.length, alone)
  return row(ours, theirs, wrong, [
    ...backends
      .flatMap((name) => lonely[name].map((event) => `${name} alone: ${JSON.stringify(event)}`))
      .slice(0, 4),
    ...differing,
  ])
}

const nanoseconds = (value) =>
  typeof value === 'string' && value.includes('T')
    ? BigInt(Date.parse(`${value.slice(0, 19)}Z`)) * 1_000_000n + BigInt(value.slice(20, 29))
    : BigInt(value)

const distance = (a, b) => (a > b ? a - b : b - a)

/** Whether the shorter list begins the other one; it may be shorter from `least` items on. */
function begins(one, other, least) {
  const size = Math.min(one.length, other.length)
  const isLong = one.length === other.length || size >= least
  return isLong && JSON.stringify(one.slice(0, size)) === JSON.stringify(other.slice(0, size))
}

/** Whether the values of a field agree. Names are bound as pairs come, one to one. */
function comparison({ clocks, names, lists }, silent) {
  const bound = new Map()
  const bind = (from, to) => {
    if (bound.has(from)) return bound.get(from) === to
    bound.set(from, to)
    return true
  }
  const told = (names = []) => names.filter((name) => !silent.has(name))
  return (field, one, other) => {
    // Which texts are escaped or cut, of those that both tell.
    if (field === 'escaped' || field === 'cut')
      return JSON.stringify(told(one)) === JSON.stringify(told(other))
    if (silent.has(field) && (one === null || other === null)) return true
    if (names.includes(field)) return bind(`bpftrace ${one}`, other) && bind(`bcc ${other}`, one)
    if (lists.fields.includes(field) && Array.isArray(one) && Array.isArray(other))
      return begins(one, other, lists.least)
    if (clocks.fields.includes(field) && one != null && other != null)
      return distance(nanoseconds(one), nanoseconds(other)) <= BigInt(clocks.ms) * 1_000_000n
    return JSON.stringify(one) === JSON.stringify(other)
  }
}

/** Groups of both: as many events in each, and the same sums of what no clock decides. */
export function compareGroups({ by, exceptions }, ours, theirs) {
  const [one, other] = [ours, theirs].map(({ events }) => totals(grouped(events, by), exceptions))
  const differing = [...new Set([...one.keys(), ...other.keys()])].flatMap((name) =>
    one.get(name) === other.get(name)
      ? []
      : [
          `${name}: ${one.get(name) ?? 'nothing'} by bpftrace, ${other.get(name) ?? 'nothing'} by bcc`,
        ],
  )
  const counted = ({ events, ...rest }) => ({
    ...rest,
    events: events.flatMap((group) => Array(group.count).fill(group)),
  })
  return row(counted(ours), counted(theirs), differing.length, differing.slice(0, 4))
}

/** What came to a group over all dumps: how many, and sums by their names. */
function totals(groups, { clocks }) {
  const timed = clocks.fields.map((field) => `${field}_sum`)
  return new Map(
    [...groups].map(([name, rows]) => {
      const fields = Object.keys(rows[0]).filter(
        (field) => field === 'count' || (field.endsWith('_sum') && !timed.includes(field)),
      )
      const sum = (field) => rows.reduce((all, each) => all + BigInt(each[field] ?? 0), 0n)
      return [name, fields.map((field) => `${field} ${sum(field)}`).join(', ')]
    }),
  )
}
