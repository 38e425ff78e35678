import { hostname, userInfo } from 'node:os'

/**
 * Who gives a command, as others see it: user and host.
 * @param readUser throws where the user is a number without a name, as in a container
 */
export function whoami(readUser: () => { readonly username: string } = userInfo): string {
  return `${userName(readUser)}@${hostname()}`
}

function userName(readUser: () => { readonly username: string }): string {
  try {
    return readUser().username
  } catch {
    return process.env.USER || `uid ${process.getuid?.()}`
  }
}
