import { EbpfRunError } from '../errors.ts'
import type { Names } from '../host/names.ts'
import type { ProbeSpec } from '../schema/define.ts'
import { splitList } from './params.ts'
import type { Place } from './plan-request.ts'

/** What the kernel takes as the name of an interface (dev_valid_name in net/core/dev.c): 15 bytes, no space, no slash. */
const interfaceName = /^(?!\.{1,2}$)[^\s/:\0]+$/u

/** Names of interfaces, each text a comma list, and the namespace that has them. Throws BAD_VALUE. */
export function parsePlace(
  lists: readonly string[],
  netns: readonly string[],
  names: Pick<Names, 'namespace'>,
): Place {
  const interfaces = lists
    .flatMap((list) => splitList(list, false))
    .map(({ negated, text }) => {
      if (negated || !interfaceName.test(text) || Buffer.byteLength(text) > 15)
        throw new EbpfRunError({
          code: 'BAD_VALUE',
          message: '--interface: the name of a network interface was expected',
          found: JSON.stringify(negated ? `!${text}` : text),
          remedy: 'ip link',
        })
      return text
    })
  const namespaces = [...new Set(netns)]
  if (namespaces.length > 1)
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: '--netns: one network namespace was expected',
      found: namespaces.join(', '),
      remedy: `a run for each: --netns ${namespaces[0]}`,
    })
  const [namespace] = namespaces.map((text) => parseNamespace(text, names))
  return { netns: namespace ?? null, interfaces: [...new Set(interfaces)] }
}

function parseNamespace(text: string, names: Pick<Names, 'namespace'>): string {
  // What is no path is looked for here, what is one where it is entered.
  if (text.startsWith('/')) return text
  if (text === '' || typeof names.namespace('net', text) === 'string')
    throw new EbpfRunError({
      code: 'BAD_VALUE',
      message: '--netns: the path or `ip netns` name of a network namespace was expected',
      found: JSON.stringify(text),
      remedy: 'ip netns list; /proc/PID/ns/net is that of a process',
    })
  return `/run/netns/${text}`
}

/** Nobody can say which interfaces are meant but the user. Throws BAD_VALUE. */
export function requirePlace(spec: ProbeSpec, place: Place | null | undefined): void {
  if (!spec.onInterfaces || place) return
  throw new EbpfRunError({
    code: 'BAD_VALUE',
    message: `${spec.name} is attached to network interfaces: --interface NAME was expected`,
    remedy: `ip link lists them; for example ${spec.example}`,
  })
}
