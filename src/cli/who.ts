import { hostname, userInfo } from 'node:os'

/** Who gives a command, as others see it: user and host. */
export function whoami(): string {
  return `${userName()}@${hostname()}`
}

/** In a container the user often is a number that no list of users knows, and then Node throws. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return process.env.USER || `uid ${process.getuid?.()}`
  }
}
