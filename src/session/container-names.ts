/** How a container runtime names the cgroups of its containers: the first group is the container's id, or its name. */
interface NamedCgroups {
  readonly runtime: string
  /** Looked for in a path below the mount, which begins with a slash and has one behind it. */
  readonly pattern: RegExp
  readonly source: string
}

/** A text that only a runtime can have meant: what it draws for an id. */
const id = '([0-9a-f]{64})'
/** Names that machinectl and lxc-create take, where a backslash of systemd's escaping stands for a byte. */
const name = String.raw`([A-Za-z0-9](?:[A-Za-z0-9_.-]|\\x[0-9a-f]{2}){0,63})`

const named = (pattern: string): RegExp => new RegExp(`/${pattern}(?=/)`, 'g')

/**
 * A cgroup below one of these belongs to the container too. Not in the list, because they are no containers: monitors
 * (libpod-conmon-ID.scope, crio-conmon-ID.scope, lxc.monitor.NAME) and virtual machines (machine-qemu\x2d1\x2dNAME.scope).
 */
export const namedCgroups: readonly NamedCgroups[] = [
  {
    runtime: 'Docker, with systemd',
    pattern: named(String.raw`docker-${id}\.scope`),
    source: 'moby daemon/oci_linux.go: WithCgroups (scopePrefix)',
  },
  {
    runtime: 'Docker, with cgroupfs',
    pattern: named(`docker/${id}`),
    source: 'moby daemon/oci_linux.go: WithCgroups (cgroupsPath)',
  },
  {
    runtime: 'containerd in Kubernetes, with systemd',
    pattern: named(String.raw`cri-containerd-${id}\.scope`),
    source: 'containerd internal/cri/server: getCgroupsPath',
  },
  {
    runtime: 'CRI-O, with systemd',
    pattern: named(String.raw`crio-${id}\.scope`),
    source: 'cri-o internal/config/cgmgr/systemd_linux.go: ContainerCgroupPath',
  },
  {
    runtime: 'CRI-O, with cgroupfs',
    pattern: named(`crio-${id}`),
    source: 'cri-o internal/config/cgmgr/cgroupfs_linux.go: ContainerCgroupPath',
  },
  {
    runtime: 'Kubernetes, with cgroupfs',
    pattern: named(`kubepods(?:/[^/]+)*/${id}`),
    source: 'kubernetes pkg/kubelet/cm/pod_container_manager_linux.go: GetPodContainerName',
  },
  {
    runtime: 'Podman, with systemd or cgroupfs',
    pattern: named(String.raw`libpod-(?:payload-)?${id}(?:\.scope)?`),
    source: 'podman libpod/container_internal_linux.go: getOCICgroupPath',
  },
  {
    runtime: 'systemd-nspawn',
    pattern: named(String.raw`machine-(?!qemu\\x2d)${name}\.scope`),
    source:
      'systemd src/machine/machine.c: machine_start_scope; src/basic/unit-name.c for the escaping',
  },
  {
    runtime: 'systemd-nspawn as a service',
    pattern: named(String.raw`systemd-nspawn@${name}\.service`),
    source: 'systemd units/systemd-nspawn@.service.in',
  },
  {
    runtime: 'LXC and Incus',
    pattern: named(String.raw`lxc\.payload\.${name}`),
    source: 'lxc src/lxc/cgroups/cgfsng.c: DEFAULT_PAYLOAD_CGROUP_PREFIX',
  },
]

/** The container that a cgroup below the mount belongs to, of several the innermost; null for none. */
export function containerOf(path: string): string | null {
  const found = namedCgroups
    .flatMap(({ pattern }) => [...`${path}/`.matchAll(pattern)])
    .reduce<RegExpMatchArray | null>(
      (inner, each) => (inner === null || endOf(each) > endOf(inner) ? each : inner),
      null,
    )
  const text = unescaped(found?.[1] ?? '')
  return /^[A-Za-z0-9_.-]{1,64}$/.test(text) ? text : null
}

function endOf({ index = 0, 0: text }: RegExpMatchArray): number {
  return index + text.length
}

function unescaped(text: string): string {
  return text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
