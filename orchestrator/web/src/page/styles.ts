/**
 * Styles that did not come: the import of a part asks for its styles once, whether they come or not, and a part that is
 * imported again would stand there without them. Owns asking for them again.
 */

const lost = new Set<HTMLLinkElement>();

/** Notes from now on which styles do not come. */
export function watchStyles(): void {
  const onError = ({ target }: Event) => {
    if (target instanceof HTMLLinkElement && target.rel === "stylesheet") lost.add(target);
  };
  addEventListener("error", onError, true);
}

/** Settles when all that did not come has been asked for again; rejects when it still does not come. */
export async function lostStyles(): Promise<void> {
  await Promise.all([...lost].map(again));
}

function again(link: HTMLLinkElement): Promise<void> {
  lost.delete(link);
  const fresh = link.cloneNode() as HTMLLinkElement;
  return new Promise((resolve, reject) => {
    fresh.addEventListener("load", () => resolve());
    fresh.addEventListener("error", () => reject(new Error(`These styles did not come: ${fresh.href}`)));
    link.replaceWith(fresh);
  });
}
