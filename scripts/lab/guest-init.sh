#!/bin/busybox sh
# First process in the guest, in the initramfs (busybox): finds the root file system and hands over to it.
# A failure here ends process 1, which is a panic, which ends the emulator: the host sees a boot that died.
set -e
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
  insmod "/modules/$module"
done < /modules/list

# The share is read-only and never changes while the guest runs, so it may be cached without asking the host again.
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /lower
mount -t tmpfs -o size=75% tmpfs /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root

mkdir -p /root/work9 /root/opt/lab
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose tools /root/opt/lab
# No cache: the host reads what the guest writes while it is still running.
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none work /root/work9
for mounted in proc sys dev; do
  mount --move /$mounted /root/$mounted
done
cp /guest-main.sh /root/lab-main.sh
exec switch_root /root /bin/sh /lab-main.sh
