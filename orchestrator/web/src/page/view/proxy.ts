/** A test of a proxy: of which address it was, and what came of it. Pure. It must never outlive the address it is of. */

export interface ProxyTest {
  readonly of: string;
  /** `unknown`: there was no test, for the reason in `text`. */
  readonly outcome: "testing" | "good" | "bad" | "unknown";
  readonly text: string | null;
}

/** What is known of the address that stands in the field: nothing, once it is another one than was tested. */
export function testOf(test: ProxyTest | null, address: string): ProxyTest | null {
  return test?.of === address.trim() ? test : null;
}

/** What stands in a field that nobody writes in: the address without its password. */
export function masked(address: string): string {
  return address.replace(/^((?:\w+:\/\/)?[^:@/\s]*:).+(@[^@]*)$/, "$1••••••$2");
}

/** Whether a proxy is switched on of which nothing is known; an empty address keeps the one there is. */
export function isMissing(on: boolean, address: string, kept: boolean): boolean {
  return on && !kept && address.trim() === "";
}

/** An answer has come: it says nothing when another address has been tested since. */
export function answered(asked: ProxyTest | null, answer: ProxyTest): ProxyTest | null {
  return asked?.of === answer.of ? answer : asked;
}
