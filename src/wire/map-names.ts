/** Where a map's name begins on the wire, T being the run's token: no traced process can write it. */
export function mapPrefix(token: string): string {
  return `@u_${token}`
}

/** A script's own name of a map, given without its @. */
export function mapName(token: string, name: string): string {
  return name === '' ? mapPrefix(token) : `${mapPrefix(token)}_${name}`
}

/** Names of maps as the script has them. */
export function withOwnNames(text: string, token: string): string {
  return text.replaceAll(`${mapPrefix(token)}_`, '@').replaceAll(mapPrefix(token), '@')
}
