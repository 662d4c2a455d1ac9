/** Whose container a cgroup is. */
export interface Containers {
  /** `cgroup` is the decimal id. Null where it is no container's, and where nobody can tell. */
  nameOf(cgroup: string): string | null
}

/** Where nobody knows any. */
export const noContainers: Containers = { nameOf: () => null }
