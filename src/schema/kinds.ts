import { errnoNames } from './errno.ts'

/**
 * A field's wire type. `closed` kinds have an alphabet that cannot hold the run's token or a tab and
 * travel tab-separated; `text` kinds are terminated by the token; `derived` kinds are not on the wire.
 */
export type Travel = 'closed' | 'text' | 'derived'

interface KindSpec {
  readonly travel: Travel
  /** printf conversion; `%d %u %x` cut to 32 bits in every bpftrace (0.11 to 0.27), so only the ll forms. */
  readonly printf: string
  /** What JSON holds, as JSON Schema 2020-12. */
  readonly json: Readonly<Record<string, unknown>>
  /** Default table width in columns, and the side numbers lean to. */
  readonly width: number
  readonly align: 'left' | 'right'
  /** Its value arrives in parts, records of their own before the event's: see `part` in wire/layout.ts. */
  readonly inParts?: true
}

const integer = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum })
const digits = { type: 'string', pattern: '^[0-9]{1,20}$' }
/** Alternatives, for ajv in strict mode refuses a type that is several. */
const mapNumber = [{ type: 'integer' }, { type: 'string' }]
const mapValue = { anyOf: [...mapNumber, { type: 'array', items: { type: 'string' } }] }

/** Every kind there is. The rest of the project asks this table and never switches on a kind by itself. */
export const kinds = {
  u8: { travel: 'closed', printf: '%llu', json: integer(0, 255), width: 3, align: 'right' },
  u16: { travel: 'closed', printf: '%llu', json: integer(0, 65_535), width: 5, align: 'right' },
  u32: {
    travel: 'closed',
    printf: '%llu',
    json: integer(0, 4_294_967_295),
    width: 7,
    align: 'right',
  },
  i32: {
    travel: 'closed',
    printf: '%lld',
    json: integer(-2_147_483_648, 2_147_483_647),
    width: 5,
    align: 'right',
  },
  /** 64 bits as a decimal string, so that JSON keeps every digit; `bigintOf` reads it. */
  u64: { travel: 'closed', printf: '%llu', json: digits, width: 20, align: 'right' },
  /** 64 bits with a sign, as a decimal string. */
  i64: {
    travel: 'closed',
    printf: '%lld',
    json: { type: 'string', pattern: '^-?[0-9]{1,19}$' },
    width: 20,
    align: 'right',
  },
  /** An address of the kernel's memory, `0x` and hexadecimal digits. */
  pointer: {
    travel: 'closed',
    printf: '%llx',
    json: { type: 'string', pattern: '^0x[0-9a-f]{1,16}$' },
    width: 18,
    align: 'right',
  },
  /** The kernel's clock in nanoseconds, a decimal string. */
  ktime: { travel: 'closed', printf: '%llu', json: digits, width: 16, align: 'right' },
  /** A span in nanoseconds; a number, exact up to 2^53 - 1 (104 days). */
  duration: {
    travel: 'closed',
    printf: '%llu',
    json: integer(0, Number.MAX_SAFE_INTEGER),
    width: 9,
    align: 'right',
  },
  /** How many; a number, exact up to 2^53 - 1. */
  count: {
    travel: 'closed',
    printf: '%llu',
    json: integer(0, Number.MAX_SAFE_INTEGER),
    width: 9,
    align: 'right',
  },
  /** An IPv4 or IPv6 address as ntop prints it; v4-mapped addresses are shown as IPv4. */
  address: {
    travel: 'closed',
    printf: '%s',
    json: { type: 'string', pattern: '^[0-9a-f:.]{2,45}$' },
    width: 15,
    align: 'left',
  },
  /** A block device as `MAJOR:MINOR`; on the wire the kernel's number of it, MAJOR * 2^20 + MINOR. */
  device: {
    travel: 'closed',
    printf: '%llu',
    json: { type: 'string', pattern: '^[0-9]{1,4}:[0-9]{1,7}$' },
    width: 7,
    align: 'left',
  },
  /** A load average as /proc/loadavg shows it, a number with two decimals; on the wire the kernel's own, in parts of 2048. */
  load: {
    travel: 'closed',
    printf: '%llu',
    json: { type: 'number', minimum: 0 },
    width: 7,
    align: 'right',
  },
  /** A number with names, from the field's `names`; one without a name shows as `UNKNOWN_<n>`. */
  enum: { travel: 'closed', printf: '%llu', json: { type: 'string' }, width: 12, align: 'left' },
  /** A return value: 0 or more is fine, -n is an errno. `{code, name}`. */
  result: {
    travel: 'closed',
    printf: '%lld',
    json: {
      type: 'object',
      properties: { code: integer(-2_147_483_648, 2_147_483_647), name: { type: 'string' } },
      required: ['code', 'name'],
      additionalProperties: false,
    },
    width: 12,
    align: 'left',
  },
  /** Bytes of a name or path, shown as text; see `escaped` and `cut` of an event. */
  text: { travel: 'text', printf: '%s', json: { type: 'string' }, width: 16, align: 'left' },
  /** A list of texts that arrives in parts. */
  texts: {
    travel: 'derived',
    printf: '',
    json: { type: 'array', items: { type: ['string', 'null'] } },
    width: 24,
    align: 'left',
    inParts: true,
  },
  /**
   * A path from the root of the process. Its parts are the name as it was given, then, where that is no path from the root, the
   * names of the directories that it starts from, the innermost first.
   */
  path: {
    travel: 'derived',
    printf: '',
    json: { type: 'string' },
    width: 32,
    align: 'left',
    inParts: true,
  },
  /** The kernel's call stack, one function a line on the wire, the innermost first; as a list `function+offset`. */
  stack: {
    travel: 'text',
    printf: '%s',
    json: { type: 'array', items: { type: 'string' } },
    width: 40,
    align: 'left',
  },
  /** Wall-clock time of `ktime_ns`, RFC 3339 with nanosecond digits, UTC. */
  time: {
    travel: 'derived',
    printf: '',
    json: { type: 'string', format: 'date-time' },
    width: 15,
    align: 'left',
  },
  /** What is the same in every event: the text of the field's `always`. */
  constant: { travel: 'derived', printf: '', json: { type: 'string' }, width: 6, align: 'left' },
  /** 4 or 6, from the address field named by `of`. */
  family: { travel: 'derived', printf: '', json: { enum: [4, 6] }, width: 2, align: 'right' },
  /** The errno's name when the result field named by `of` is negative, else null. */
  errno: { travel: 'derived', printf: '', json: { type: 'string' }, width: 10, align: 'left' },
  /** The container of the cgroup whose id is in the field named by `of`: its id, or its name where it has none. */
  container: {
    travel: 'derived',
    printf: '',
    json: { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$' },
    width: 12,
    align: 'left',
  },
  /** A histogram: `{ge, lt, count}`, the bounds exact, null where a bucket is open. */
  buckets: {
    travel: 'derived',
    printf: '',
    json: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          ge: { type: ['number', 'null'] },
          lt: { type: ['number', 'null'] },
          count: integer(0, Number.MAX_SAFE_INTEGER),
        },
        required: ['ge', 'lt', 'count'],
        additionalProperties: false,
      },
    },
    width: 40,
    align: 'left',
  },
  /** What bpftrace itself printed for the event: join(), cat(), print() of a value. It travels before the event, outside of records. */
  output: {
    travel: 'derived',
    printf: '',
    json: { type: 'string' },
    width: 40,
    align: 'left',
  },
  /** A map of a script as bpftrace printed it; see wire/map-dump.ts. */
  entries: {
    travel: 'derived',
    printf: '',
    json: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          key: {
            type: ['array', 'null'],
            items: mapValue,
          },
          value: mapValue,
          buckets: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                ge: { type: ['number', 'null'] },
                lt: { type: ['number', 'null'] },
                count: integer(0, Number.MAX_SAFE_INTEGER),
              },
              required: ['ge', 'lt', 'count'],
              additionalProperties: false,
            },
          },
          count: { anyOf: mapNumber },
          average: { anyOf: mapNumber },
          total: { anyOf: mapNumber },
          unsplit: { const: true },
        },
        required: ['key'],
        additionalProperties: false,
      },
    },
    width: 40,
    align: 'left',
  },
} as const satisfies Record<string, KindSpec>

export type Kind = keyof typeof kinds

/** Whether a program sends values of this kind. */
export function isOnWire(kind: Kind): boolean {
  return kinds[kind].travel !== 'derived' || isInParts(kind)
}

/** Whether values of this kind arrive in parts. */
export function isInParts(kind: Kind): boolean {
  const spec: KindSpec = kinds[kind]
  return spec.inParts === true
}

export interface Result {
  readonly code: number
  readonly name: string
}

/** Kind to the type of a decoded value. */
export interface KindValue {
  u8: number
  u16: number
  u32: number
  i32: number
  u64: string
  i64: string
  pointer: string
  ktime: string
  duration: number
  count: number
  address: string
  device: string
  load: number
  enum: string
  result: Result
  text: string
  texts: readonly (string | null)[]
  path: string
  stack: readonly string[]
  time: string
  constant: string
  family: 4 | 6
  errno: string
  container: string
  buckets: readonly {
    readonly ge: number | null
    readonly lt: number | null
    readonly count: number
  }[]
  output: string
  entries: readonly MapEntry[]
}

/** A number where it is exact, else its digits. */
export type MapNumber = number | string

/** One entry of a map: a value, or the buckets of a histogram, or the figures of stats(). */
export interface MapEntry {
  /** Null for a map without keys. */
  readonly key: readonly (MapNumber | readonly string[])[] | null
  readonly value?: MapNumber | readonly string[]
  /** From `ge` on, below `lt`; null: without end. */
  readonly buckets?: readonly {
    readonly ge: number | null
    readonly lt: number | null
    readonly count: number
  }[]
  readonly count?: MapNumber
  readonly average?: MapNumber
  readonly total?: MapNumber
  /** Texts of traced processes made it impossible to tell the parts of the key apart: it is one text. */
  readonly unsplit?: true
}

/** `MAJOR:MINOR` of the kernel's own number of a device (include/linux/kdev_t.h). */
export function deviceText(device: number): string {
  return `${device >>> 20}:${device & 0xfffff}`
}

/** The load average of the kernel's fixed-point number of it, rounded as /proc/loadavg does (loadavg_proc_show: FSHIFT is 11). */
export function loadOf(fixed: number): number {
  return Math.floor(((fixed + 10) * 100) / 2048) / 100
}

/** `8:16` to the kernel's own number of the device; null for anything else. */
export function deviceNumber(text: string): number | null {
  const [, major, minor] = /^(\d{1,4}):(\d{1,7})$/.exec(text) ?? []
  if (Number(major) >= 2 ** 12 || Number(minor) >= 2 ** 20) return null
  return major === undefined ? null : Number(major) * 2 ** 20 + Number(minor)
}

/** What a result's code can be. */
export function codeRange(isWide: boolean): { readonly minimum: number; readonly maximum: number } {
  return isWide
    ? { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }
    : kinds.result.json.properties.code
}

/** Name of a kernel return value: `OK` for 0 and above, the errno's name below. */
export function resultName(code: number): string {
  return code >= 0 ? 'OK' : (errnoNames[-code] ?? `ERRNO_${-code}`)
}
