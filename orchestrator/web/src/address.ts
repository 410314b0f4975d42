/** What an address says. Pure. */

/** The same for every spelling of one server's address. */
export function originOf(url: string): string {
  return url.replace(/^ws/, "http").replace(/\/+$/, "");
}

/** Whether the server is on this machine, as far as the address tells. */
export function isLoopback(url: string): boolean {
  return /^\w+:\/\/(localhost|127(\.\d+){3}|\[::1\])([:/]|$)/.test(url);
}
