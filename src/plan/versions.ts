/** `0.17.0` against `0.12.0`, three numbers each. Without semver, which takes longer to load than many a command to answer. */
export function isAtLeast(version: string, least: string): boolean {
  const [have, want] = [version, least].map((text) => text.split('.').map(Number))
  const differs = want?.findIndex((part, at) => part !== (have?.[at] ?? 0)) ?? -1
  return differs === -1 || (have?.[differs] ?? 0) > (want?.[differs] ?? 0)
}
