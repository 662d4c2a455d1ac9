import { copyFileSync, existsSync, mkdirSync, renameSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { toolsDir } from './paths.mjs';

/** The copy of the node that runs this script, as guests see it. Debian 11's libc is new enough for Node 20 (2.28). */
export const guestNode = join(toolsDir, 'node');

function sameFile(one, other) {
  return one.size === other.size && Math.trunc(one.mtimeMs) === Math.trunc(other.mtimeMs);
}

/** Copies the host's node into a folder of its own, so that a guest is shown that folder and not the host's /usr/bin. */
export function ensureTools() {
  const host = statSync(process.execPath);
  if (existsSync(guestNode) && sameFile(host, statSync(guestNode))) return;
  mkdirSync(toolsDir, { recursive: true });
  const copy = `${guestNode}.${process.pid}`;
  copyFileSync(process.execPath, copy);
  utimesSync(copy, host.atime, host.mtime);
  renameSync(copy, guestNode);
}
