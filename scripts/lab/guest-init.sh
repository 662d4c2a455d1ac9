#!/bin/busybox sh
# First process in the guest, in the initramfs: finds the root file system, sets up in it what systemd would, and hands
# over to guest-main.sh. All of it with busybox: a dynamically linked program takes a tenth of a second to start in
# the emulator, a busybox one a hundredth.
# A failure here ends process 1, which is a panic, which ends the emulator: the host sees a boot that died.
set -e
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
  insmod "/modules/$module"
done < /modules/list

# lab.NAME=VALUE of the kernel's command line, one line for each time it is there.
option() {
  tr ' ' '\n' < /proc/cmdline | sed -n "s/^lab\.$1=//p"
}
# mount_share TAG FOLDER MODE: no cache, because the host reads what the guest writes while it is still running.
mount_share() {
  mkdir -p "$2"
  mount -t 9p -o "$3,cache=none,trans=virtio,version=9p2000.L,msize=512000" "$1" "$2"
}

# The disks are named in the order of the emulator's arguments (qemu.mjs).
mount -t ext4 -o ro /dev/vda /lower
mount -t tmpfs -o size=75% tmpfs /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root
mkdir /root/opt/lab
mount -t ext4 -o ro /dev/vdb /root/opt/lab
mount_share work /root/work9 rw
# lab.share=TAG:MODE:PATH
for share in $(option share); do
  tag=${share%%:*} rest=${share#*:}
  mount_share "$tag" "/root${rest#*:}" "${rest%%:*}"
done

mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /root/tmp
mount -t tmpfs -o mode=755 tmpfs /root/run
# bpftrace 0.27 runs clang on /dev/fd/N and fails without these links.
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/self/fd/0 /dev/stdin
ln -sfn /proc/self/fd/1 /dev/stdout
ln -sfn /proc/self/fd/2 /dev/stderr
ln -sfn /opt/lab/node /root/usr/local/bin/node
ip link set lo up

name=$(option name)
hostname "$name"
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$name" > /root/etc/hosts
mkdir /root/run/lab
cp /bin/busybox /guest-main.sh /root/run/lab/
uname -r > /root/work9/out/started
mode=script
[ "$(option shell)" != 1 ] || mode=shell
for mounted in proc sys dev; do
  mount --move /$mounted /root/$mounted
done
exec switch_root /root /run/lab/busybox sh /run/lab/guest-main.sh "$mode"
