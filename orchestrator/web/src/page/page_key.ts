/** Single keys that a part of the page listens to itself; `keys.tsx` tells of them outside of fields and dialogs. */
import { useEffect, useRef } from "react";

const TOLD = "page:key";

/** Tell the parts that a key was pressed. */
export function tellKey(key: string): void {
  document.dispatchEvent(new CustomEvent(TOLD, { detail: key }));
}

/** @param onKey Called with each key while the part is shown. */
export function usePageKey(onKey: (key: string) => void): void {
  const newest = useRef(onKey);
  useEffect(() => {
    newest.current = onKey;
  });
  useEffect(() => {
    const told = (event: Event) => newest.current((event as CustomEvent<string>).detail);
    document.addEventListener(TOLD, told);
    return () => document.removeEventListener(TOLD, told);
  }, []);
}
