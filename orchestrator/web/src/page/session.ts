/**
 * Who is signed in: the one-time code of the address is swapped for the cookie; tokens come from the cookie and stay in
 * memory. Owns signing in and out. It must never write a code or a token anywhere.
 */
import { retryMs } from "../backoff.js";
import { BROWSER } from "../browser.js";
import type { TokenSource } from "../types.js";
import { ask, Problem } from "./rest.js";

export interface Me {
  readonly userId: string;
  readonly operator: boolean;
  readonly limits?: { readonly bots: number; readonly linkAttemptsPerHour: number };
}

export interface Version {
  readonly version: string;
  readonly driver: string;
  readonly library: string | null;
  readonly simulated?: boolean;
}

export interface Session {
  readonly me: Me;
  readonly version: Version;
}

export type SignIn =
  | { readonly kind: "in"; readonly session: Session }
  /** `used`: the code of the address was no good. */
  | { readonly kind: "out"; readonly why: "none" | "used" }
  /** Neither: nobody answers, or the server cannot say now (it is asked again), or will not. `code` is still good. */
  | { readonly kind: "away"; readonly problem: Problem; readonly again: boolean; readonly code: string | null };

/** The code in the address, taken out of it before anything else runs. */
export function takeCode(place: Location, past: History): string | null {
  const code = new URLSearchParams(place.hash.slice(1)).get("code");
  if (place.hash !== "") past.replaceState(past.state, "", place.pathname + place.search);
  return code;
}

/** One name for every try with the code: the server gives the answer that was lost on the way once more. */
const key = BROWSER.newId();

/** Sign in with a code, or with the cookie of an earlier visit. */
async function signIn(code: string | null): Promise<SignIn> {
  let unused = code;
  try {
    await (code === null ? ask("POST", "/session", {}) : ask("POST", "/session", { code }, { key }));
    unused = null;
    const [me, version] = await Promise.all([ask<Me>("GET", "/me"), ask<Version>("GET", "/version")]);
    return { kind: "in", session: { me, version } };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { status } = error;
    if (status === 401) return { kind: "out", why: unused === null ? "none" : "used" };
    return { kind: "away", problem: error, again: status === 0 || status === 429 || status >= 500, code: unused };
  }
}

/** Sign in, again and again while that may help; `tell` hears of each try. Returns how to end it. */
export function signingIn(code: string | null, tell: (signed: SignIn) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let over = false;
  const attempt = async (unused: string | null, failures: number) => {
    const signed = await signIn(unused);
    if (over) return;
    tell(signed);
    if (signed.kind !== "away" || !signed.again) return;
    const wait = retryMs(signed.problem.retryAfterMs, failures, Math.random());
    timer = setTimeout(() => void attempt(signed.code, failures + 1), wait);
  };
  void attempt(code, 1);
  return () => {
    over = true;
    if (timer !== null) clearTimeout(timer);
  };
}

let newest: string | null = null;

/**
 * Fresh tokens for the socket; null when the cookie is no longer good. While nobody answers it is the last one: the
 * connection then fails for the same reason, and is told as what it is.
 */
export const cookieTokens: TokenSource = async () => {
  try {
    newest = (await ask<{ readonly token: string }>("POST", "/session", {})).token;
    return newest;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null;
    if (error instanceof Problem && error.status === 0 && newest !== null) return newest;
    throw error;
  }
};

export async function signOut(): Promise<void> {
  await ask("DELETE", "/session");
}

/** Whether phones are played instead of called. */
export function isSimulated(version: Version): boolean {
  return version.simulated ?? version.driver === "simulated";
}
