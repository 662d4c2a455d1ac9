/** `bpftrace v0.20.0-123-gabcdef` -> `0.20.0`; null when no version is in the text. Without semver, which takes 10 ms to load. */
export function parseVersion(text: string): string | null {
  const [, major, minor, patch = '0'] = /v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? []
  return major === undefined ? null : `${major}.${minor}.${patch}`
}

/** `6.18.44-fc` against [5, 11]; a text without a version counts as old. */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [haveMajor = 0, haveMinor = 0] = (parseVersion(version) ?? '').split('.').map(Number)
  return haveMajor > major || (haveMajor === major && haveMinor >= minor)
}
