/**
 * Who is signed in: the one-time code of the address is swapped for the cookie; tokens come from the cookie and stay in
 * memory. Owns signing in and out. It must never write a code or a token anywhere.
 */
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
  | { readonly kind: "unreachable" };

/** The code in the address, taken out of it before anything else runs. */
export function takeCode(place: Location, past: History): string | null {
  const code = new URLSearchParams(place.hash.slice(1)).get("code");
  if (place.hash !== "") past.replaceState(past.state, "", place.pathname + place.search);
  return code;
}

/** Sign in with a code, or with the cookie of an earlier visit. */
export async function signIn(code: string | null): Promise<SignIn> {
  try {
    await ask("POST", "/session", code === null ? {} : { code });
    const [me, version] = await Promise.all([ask<Me>("GET", "/me"), ask<Version>("GET", "/version")]);
    return { kind: "in", session: { me, version } };
  } catch (error) {
    const signedOut = error instanceof Problem && error.status === 401;
    return signedOut ? { kind: "out", why: code === null ? "none" : "used" } : { kind: "unreachable" };
  }
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
