import { hostname, userInfo } from 'node:os'

/** Who gives a command, as others see it: user and host. */
export function whoami(): string {
  return `${userInfo().username}@${hostname()}`
}
