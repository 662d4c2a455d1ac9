# Keeps native runs from leaving anything behind. Standard input is the lifeline: its other end is closed when the run
# is over or when the process that started it is gone (SIGKILL included). Then every process of the run is killed,
# whatever session or parent it has, and with the last one its mount namespace and all mounts in it are gone.
#
# A run is recognised by its UTS namespace, which no tracer cares about; a command may well make itself another mount
# namespace. A PID namespace would do all this by itself, but bpftrace counts in the PIDs of the namespace it is in.
read -r _
own=$(stat -L -c %i /proc/self/ns/uts)
while :; do
  # Expanded here and not in the pipeline, whose own processes would be found too.
  set -- /proc/[0-9]*/ns/uts
  found=$(stat -L -c '%i %n' "$@" 2> /dev/null | sed -n "s|^$own /proc/\([0-9]*\)/ns/uts\$|\1|p" | grep -vx "$$")
  [ "$found" ] || exit 0
  kill -KILL $found
  sleep 0.02
done
