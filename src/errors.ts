/** Exit codes of the command line; sysexits.h for 69, 70 and 77. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unmet: 3,
  unavailable: 69,
  rejected: 70,
  permission: 77,
} as const

/** Every error code there is, with the exit status it leads to. Codes are stable. */
export const errorCodes = {
  USAGE: exitCodes.usage,
  UNKNOWN_PROBE: exitCodes.usage,
  UNKNOWN_OPTION: exitCodes.usage,
  BAD_VALUE: exitCodes.usage,
  CONFLICT: exitCodes.usage,
  BAD_DEFINITION: exitCodes.usage,
  BAD_RECORDING: exitCodes.usage,
  BAD_SCRIPT: exitCodes.usage,
  UNSAFE_SCRIPT: exitCodes.usage,
  PROBE_EXISTS: exitCodes.usage,
  UNTRUSTED_PROBE: exitCodes.permission,
  NO_PERMISSION: exitCodes.permission,
  NO_BPFTRACE: exitCodes.unavailable,
  BPFTRACE_TOO_OLD: exitCodes.unavailable,
  NO_VARIANT: exitCodes.unavailable,
  NO_MATCH: exitCodes.unavailable,
  NO_TRACEFS: exitCodes.unavailable,
  REJECTED: exitCodes.rejected,
  ATTACH_FAILED: exitCodes.rejected,
  NOT_ATTACHED: exitCodes.failed,
  BACKEND_DIED: exitCodes.failed,
  OUTPUT_FAILED: exitCodes.failed,
  COMMAND_FAILED: exitCodes.failed,
  LOST_EVENTS: exitCodes.unmet,
  EXPECTATION: exitCodes.unmet,
} as const

export type ErrorCode = keyof typeof errorCodes

export interface ErrorParts {
  readonly code: ErrorCode
  /** What happened, one sentence, lower case, no full stop. */
  readonly message: string
  readonly expected?: string
  readonly found?: string
  /** Something the reader can type or do. */
  readonly remedy?: string
  /** Evidence, for example the backend's own last lines. */
  readonly detail?: string
  readonly cause?: unknown
  /** Instead of the code's own, where a shell has one for it. */
  readonly exitCode?: number
}

/** The one error class of the project: a stable code, what was expected, what was found, and a remedy. */
export class EbpfRunError extends Error {
  override readonly name = 'EbpfRunError'
  readonly code: ErrorCode
  readonly exitCode: number
  readonly expected: string | undefined
  readonly found: string | undefined
  readonly remedy: string | undefined
  readonly detail: string | undefined

  constructor(parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause })
    this.code = parts.code
    this.exitCode = parts.exitCode ?? errorCodes[parts.code]
    this.expected = parts.expected
    this.found = parts.found
    this.remedy = parts.remedy
    this.detail = parts.detail
  }

  /** The shape printed on stderr with `-o json`. */
  toJSON(): Record<string, unknown> {
    const { code, message, expected, found, remedy, detail, exitCode } = this
    return { error: { code, message, expected, found, remedy, detail, exit_code: exitCode } }
  }
}
