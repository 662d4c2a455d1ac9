import { readFileSync } from 'node:fs'
import { Resolver } from 'node:dns/promises'
import type { AnyEvent } from '../schema/define.ts'

/** Names for the addresses and ports of a table. */
export interface NameResolver {
  /** The event with the names that are known by now; an address that is new is looked up in the background. */
  shown(event: AnyEvent): AnyEvent
  /** Looks up what these events need, for at most a few seconds: for events that are all there before the first is shown. */
  learn(events: readonly AnyEvent[]): Promise<void>
  close(): void
}

/** What is looked up where; tests put their own in place. */
interface Sources {
  reverse(address: string): Promise<readonly string[]>
  cancel(): void
  readonly services: string
}

/** Addresses that are remembered, also those without a name. */
const mostKnown = 4_096
/** A flood of new addresses must not become a flood of questions. */
const mostAtOnce = 16
const learnMs = 5_000

const addressFields = ['laddr', 'raddr']
const portFields = ['lport', 'rport']

export function createResolver(sources: Sources = hostSources()): NameResolver {
  const services = serviceNames(sources.services)
  const names = new Map<string, string | null>()
  /** Questions that are not answered yet. */
  const asked = new Map<string, Promise<void>>()
  let isClosed = false

  const lookUp = async (address: string): Promise<void> => {
    try {
      const [name] = await sources.reverse(address)
      remember(address, name ?? null)
    } catch {
      // It has no name, or nobody answers.
    }
  }
  const ask = (address: string): Promise<void> => {
    remember(address, null)
    const answer = lookUp(address).finally(() => asked.delete(address))
    asked.set(address, answer)
    return answer
  }
  const remember = (address: string, name: string | null): void => {
    names.set(address, name)
    // The one that came first goes first.
    const [oldest] = names.keys()
    if (names.size > mostKnown && oldest !== undefined) names.delete(oldest)
  }
  const addressName = (address: unknown): unknown => {
    if (typeof address !== 'string') return address
    const name = names.get(address)
    if (name === undefined && asked.size < mostAtOnce) void ask(address)
    return name ?? address
  }
  return {
    shown(event) {
      const shown: Record<string, unknown> = { ...event }
      for (const field of addressFields.filter((each) => each in event))
        shown[field] = addressName(event[field])
      for (const field of portFields.filter((each) => each in event))
        shown[field] = services.get(Number(event[field])) ?? event[field]
      return shown as AnyEvent
    },
    async learn(events) {
      const addresses = new Set(
        events.flatMap((event) => addressFields.map((field) => event[field])),
      )
      const waiting = [...addresses]
        .filter((each) => typeof each === 'string')
        .filter((each) => !names.has(each) || asked.has(each))
        .slice(0, mostKnown)
      const until = Date.now() + learnMs
      const work = async (): Promise<void> => {
        for (
          let next = waiting.pop();
          next !== undefined && Date.now() < until && !isClosed;
          next = waiting.pop()
        )
          await (asked.get(next) ?? ask(next))
      }
      const timer = setTimeout(() => sources.cancel(), learnMs)
      await Promise.all(Array.from({ length: mostAtOnce }, work))
      clearTimeout(timer)
    },
    close() {
      isClosed = true
      sources.cancel()
    },
  }
}

function hostSources(): Sources {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  return {
    reverse: (address) => resolver.reverse(address),
    cancel: () => resolver.cancel(),
    services: readServices(),
  }
}

function readServices(): string {
  try {
    return readFileSync('/etc/services', 'utf8')
  } catch {
    return ''
  }
}

/** Port to name from the text of /etc/services (services(5)); the first name of a TCP port counts. */
export function serviceNames(text: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [, name, port] = /^\s*([^\s#]+)\s+(\d{1,5})\/tcp\b/.exec(line) ?? []
    if (name !== undefined && !names.has(Number(port))) names.set(Number(port), name)
  }
  return names
}
