import { readFileSync } from 'node:fs'

/** One line of /etc/passwd, as far as a process needs it. */
export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** A user by name or number; null when /etc/passwd has none such. */
export function findUser(text: string): User | null {
  const users = passwd().split('\n').map(readLine)
  return users.find((user) => user?.name === text || String(user?.uid) === text) ?? null
}

/** Who called sudo, when we run as root because of it. */
export function sudoCaller(env: NodeJS.ProcessEnv, uid: number): User | null {
  const caller = env['SUDO_UID']
  return uid === 0 && caller !== undefined && caller !== '0' ? findUser(caller) : null
}

function readLine(line: string): User | null {
  const [name = '', , uid = '', gid = '', , home = ''] = line.split(':')
  return /^\d+$/.test(uid) && /^\d+$/.test(gid)
    ? { name, uid: Number(uid), gid: Number(gid), home }
    : null
}

function passwd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8')
  } catch {
    return ''
  }
}
