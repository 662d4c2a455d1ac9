# First program in a mount namespace of its own, made by `unshare --mount --uts` (private: the host sees none of these
# mounts). Builds the guest's view of the file system on this host's kernel, then becomes the command:
#
#   native-main.sh ROOTFS MOUNTPOINT DIRECTORY [MODE:FROM:TO ...] -- COMMAND [ARGUMENT ...]
#
# File descriptor 3 is the lifeline (native-keeper.sh), and "ready" is written to it when the view is complete, so that
# a failure in here is never taken for one of the command.
set -e
rootfs=$1 base=$2 directory=$3
shift 3
setsid --fork sh "${0%/*}/native-keeper.sh" <&3 >&3 2> /dev/null

root=$base/root
mount -t tmpfs -o mode=755 tmpfs "$base"
mkdir "$base/files" "$base/work" "$root"
mount -t overlay -o "lowerdir=$rootfs,upperdir=$base/files,workdir=$base/work" overlay "$root"
for shared in proc sys dev; do
  mount --rbind "/$shared" "$root/$shared"
done
# Many machines and containers have neither mounted; bpftrace 0.17 and older look in debugfs only.
mount -t tracefs tracefs "$root/sys/kernel/tracing"
mount -t debugfs debugfs "$root/sys/kernel/debug"

while [ "$1" != -- ]; do
  mode=${1%%:*} paths=${1#*:}
  from=${paths%%:*} to=$root${paths#*:}
  if [ -d "$from" ]; then
    mkdir -p "$to"
  else
    mkdir -p "${to%/*}"
    : >> "$to"
  fi
  mount --bind "$from" "$to"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$to"
  shift
done
shift

echo ready >&3
exec chroot "$root" env --chdir="$directory" "$@" 3>&-
