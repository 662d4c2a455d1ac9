/** Name of the map that holds the threads and processes which descend from the command of a run. */
export function descendants(token: string): string {
  return `@kin_${token}`
}

/** Whether a process is the command or descends from it. */
export function descendsCondition(pid: string, token: string, command: number): string {
  return `(${pid} == ${command} || ${descendants(token)}[${pid}] != 0)`
}

/**
 * Follows the command's forks. `parent_pid` and `child_pid` are thread ids; every thread of a descendant is in the map, so its
 * process is too. A number that is used again by somebody else is taken out when that one is born.
 */
export function commandProgram(token: string, command: number): string {
  const map = descendants(token)
  return `tracepoint:sched:sched_process_fork
{
  $parent = (uint64)args->parent_pid;
  $child = (uint64)args->child_pid;
  if ($parent == ${command} || ${map}[$parent] != 0) {
    ${map}[$child] = 1;
  } else {
    if (${map}[$child] != 0) { delete(${map}[$child]); }
  }
}`
}
