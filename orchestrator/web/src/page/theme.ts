/** Light or dark: the system's word, or a choice that is kept. `public/theme.js` does the same before the first paint. */

export type Theme = "system" | "light" | "dark";

const KEY = "theme";
const DARK = "(prefers-color-scheme: dark)";

/** What was chosen; the system's word when nothing was, or nothing can be kept. */
export function chosenTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}

/** Choose, keep and apply. */
export function chooseTheme(theme: Theme): void {
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice holds as long as the page.
  }
  apply(theme);
}

/** Follow the system while nothing is chosen. Returns how to stop. */
export function followSystem(): () => void {
  const system = matchMedia(DARK);
  const follow = () => apply(chosenTheme());
  system.addEventListener("change", follow);
  return () => system.removeEventListener("change", follow);
}

function apply(theme: Theme): void {
  const dark = theme === "dark" || (theme === "system" && matchMedia(DARK).matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
