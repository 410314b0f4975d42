/** What a form is told that was refused: beside the field it is about, or below all of them. Owns no words. */
import type { ReactNode } from "react";
import { Icon } from "./icons.js";
import { Problem } from "./rest.js";

export interface Fault {
  /** Null: of no field that is shown. */
  readonly field: string | null;
  readonly text: string;
}

/** A refusal, for a form with these fields. */
export function faultOf(error: unknown, fields: ReadonlyArray<string>): Fault {
  const problem = error instanceof Problem ? error : new Problem(0, null);
  const { field } = problem;
  return { field: field !== null && fields.includes(field) ? field : null, text: sentence(problem.message) };
}

/** The server's words without the name that a program knows the field by. */
export function sentence(message: string): string {
  const plain = message.replace(/^\w+: /, "");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

export function OtherFault({ fault }: { readonly fault: Fault | null }): ReactNode {
  if (fault === null || fault.field !== null) return null;
  return (
    <p className="help bad" role="alert">
      <Icon name="alert" className="s14" />
      <span>{fault.text}</span>
    </p>
  );
}
