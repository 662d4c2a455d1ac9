# Process 1 in the guest after the initramfs, in Debian's own root file system but run by busybox: runs the script of
# the host (or a shell) and powers off. Nothing but the script itself is to cost the emulator time. Debian's programs
# need their full paths in here: Debian's busybox takes its own applet for any bare name it knows, sh and ip included.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-linux}"
box=/run/lab/busybox

if [ "$1" = shell ]; then
  # With the serial line as its terminal: job control and Ctrl-C work.
  /usr/bin/setsid --ctty --wait /bin/bash -l < /dev/ttyS0 > /dev/ttyS0 2>&1
  status=$?
else
  $box mkfifo /run/lab/output
  $box tee /work9/out/output < /run/lab/output &
  copier=$!
  /bin/sh /work9/guest.sh > /run/lab/output 2>&1 < /dev/null
  status=$?
  # A process that the script left behind keeps the pipe open: what it still says is not waited for.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$copier" 2> /dev/null || break
    $box sleep 0.1
  done
fi
echo "$status" > /work9/out/status
echo o > /proc/sysrq-trigger
$box sleep 60
