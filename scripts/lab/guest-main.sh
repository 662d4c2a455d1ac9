# Process 1 in the guest after the initramfs, in Debian's own root file system: sets up what systemd would, runs the
# script of the host and powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-linux}"
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
# bpftrace 0.27 runs clang on /dev/fd/N and fails without these links.
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/self/fd/0 /dev/stdin
ln -sfn /proc/self/fd/1 /dev/stdout
ln -sfn /proc/self/fd/2 /dev/stderr
ln -sfn /opt/lab/node /usr/local/bin/node
ip link set lo up

# lab.NAME=VALUE of the kernel's command line.
option() {
  tr ' ' '\n' < /proc/cmdline | sed -n "s/^lab\.$1=//p"
}
option name > /proc/sys/kernel/hostname
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$(option name)" > /etc/hosts

# lab.share=TAG:MODE:PATH, once for every further folder of the host.
option share | while IFS=: read -r tag mode path; do
  mkdir -p "$path"
  mount -t 9p -o "$mode,trans=virtio,version=9p2000.L,msize=512000,cache=none" "$tag" "$path"
done

power_off() {
  sync
  echo o > /proc/sysrq-trigger
  sleep 60
}

uname -r > /work9/out/started
if [ "$(option shell)" = 1 ]; then
  # A session with the serial line as its terminal: job control and Ctrl-C work.
  setsid --ctty --wait bash -l < /dev/ttyS0 > /dev/ttyS0 2>&1
  echo $? > /work9/out/status
  power_off
fi

mkfifo /run/output
tee /work9/out/output < /run/output &
copier=$!
sh /work9/guest.sh > /run/output 2>&1 < /dev/null
status=$?
# A process that the script left behind keeps the pipe open: what it still says is not waited for.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  kill -0 "$copier" 2> /dev/null || break
  sleep 0.1
done
echo "$status" > /work9/out/status
power_off
