/**
 * Bots made on this page that its socket has not told of yet: they are on their way, not missing, also while the page is
 * not live. Owns their ids only.
 */
const coming = new Set<string>();

export const expectBot = (id: string): void => void coming.add(id);

/** It is there: when it goes again, it is gone. */
export const arrived = (id: string): void => void coming.delete(id);

export const isComing = (id: string): boolean => coming.has(id);
