import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import execsnoop from '../../probes/execsnoop/probe.ts'
import tccount from '../../probes/tccount/probe.ts'
import { containerOf, namedCgroups } from '../../src/session/container-names.ts'
import { followContainers, showsContainers } from '../../src/session/containers.ts'

const id = '5f0c9d3b1a2e4f60'.repeat(4)
const other = '00112233445566ff'.repeat(4)

describe('the container of a cgroup', () => {
  it.each([
    ['Docker, with systemd', `/system.slice/docker-${id}.scope`, id],
    ['Docker, with cgroupfs', `/docker/${id}`, id],
    [
      'containerd in Kubernetes, with systemd',
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-${id}.scope`,
      id,
    ],
    ['CRI-O, with systemd', `/kubepods.slice/kubepods-pod1.slice/crio-${id}.scope`, id],
    ['CRI-O, with cgroupfs', `/kubepods/pod1/crio-${id}`, id],
    ['Kubernetes, with cgroupfs', `/kubepods/besteffort/pod0f5a-11/${id}`, id],
    ['Podman, with systemd or cgroupfs', `/machine.slice/libpod-${id}.scope/container`, id],
    ['Podman, with systemd or cgroupfs', `/libpod_parent/libpod-${id}`, id],
    [
      'Podman, with systemd or cgroupfs',
      `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope`,
      id,
    ],
    ['Podman, with systemd or cgroupfs', `/system.slice/web.service/libpod-payload-${id}`, id],
    [
      'systemd-nspawn',
      String.raw`/machine.slice/machine-my\x2dbox.scope/payload/init.scope`,
      'my-box',
    ],
    ['systemd-nspawn as a service', '/machine.slice/systemd-nspawn@sid.service/payload', 'sid'],
    ['LXC and Incus', '/lxc.payload.web-1/system.slice/ssh.service', 'web-1'],
  ])('%s: %s', (runtime, path, container) => {
    expect(containerOf(path)).toBe(container)
    expect(namedCgroups.map((each) => each.runtime)).toContain(runtime)
  })

  it('is the innermost one', () => {
    expect(containerOf(`/docker/${id}/docker/${other}`)).toBe(other)
    expect(containerOf(`/lxc.payload.box/system.slice/docker-${id}.scope/init`)).toBe(id)
  })

  it.each([
    ['the root', ''],
    ['a service', '/system.slice/docker.service'],
    ['a monitor of Podman', `/machine.slice/libpod-conmon-${id}.scope`],
    ['a monitor of CRI-O', `/system.slice/crio-conmon-${id}.scope`],
    ['a monitor of LXC', '/lxc.monitor.web-1'],
    ['a virtual machine', String.raw`/machine.slice/machine-qemu\x2d1\x2ddeb.scope`],
    ['an id that is too short', `/docker/${id.slice(1)}`],
    ['an id in capitals', `/docker/${id.toUpperCase()}`],
    ['64 digits in a folder of somebody', `/user.slice/${id}`],
    ['a name that a terminal would act on', '/lxc.payload.\u001b[31m'],
    ['a byte that no name has', String.raw`/machine.slice/machine-a\x1bb.scope`],
    ['a name without end', `/lxc.payload.${'a'.repeat(65)}`],
  ])('is null for %s', (_, path) => {
    expect(containerOf(path)).toBeNull()
  })

  it('has a source for each pattern', () => {
    for (const { source } of namedCgroups) expect(source).toMatch(/\S+ \S+/)
  })
})

describe('containers of a host', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'ebpf-run-cgroups-'))
    vi.useFakeTimers({ toFake: ['performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
    rmSync(root, { recursive: true, force: true })
  })

  const make = (path: string): string => {
    mkdirSync(join(root, path), { recursive: true })
    return String(statSync(join(root, path), { bigint: true }).ino)
  }

  it('are known by the ids of their cgroups and of those below', () => {
    const scope = make(`system.slice/docker-${id}.scope`)
    const below = make(`system.slice/docker-${id}.scope/init`)
    const service = make('system.slice/ssh.service')
    const found = vi.fn()
    const containers = followContainers({ root, found })

    expect([scope, below, service, '1'].map((each) => containers.nameOf(each))).toEqual([
      id,
      id,
      null,
      null,
    ])
    expect(containers.nameOf(scope)).toBe(id)
    expect(found.mock.calls).toEqual([
      [scope, id],
      [below, id],
    ])
  })

  it('stay known when they are gone', () => {
    const cgroup = make('lxc.payload.web')
    const containers = followContainers({ root })
    containers.look()
    rmdirSync(join(root, 'lxc.payload.web'))

    expect(containers.nameOf(cgroup)).toBe('web')
  })

  it('are looked for again, but not all the time', () => {
    const containers = followContainers({ root })
    containers.look()
    const cgroup = make(`docker/${id}`)

    expect(containers.nameOf(cgroup)).toBeNull()
    vi.advanceTimersByTime(99)
    expect(containers.nameOf(cgroup)).toBeNull()
    vi.advanceTimersByTime(1)
    expect(containers.nameOf(cgroup)).toBe(id)
  })

  it('are unknown where cgroup v2 is not mounted, or is gone', () => {
    expect(followContainers({ root: null }).nameOf('1')).toBeNull()
    expect(followContainers({ root: join(root, 'nothing') }).nameOf('1')).toBeNull()
  })

  it('are asked for by probes that show them', () => {
    expect(showsContainers(execsnoop)).toBe(true)
    expect(showsContainers(tccount)).toBe(false)
  })
})
