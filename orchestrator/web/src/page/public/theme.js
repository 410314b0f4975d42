/* The theme before the first paint: a choice that was kept, else the system's word. Read src/page/theme.ts. */
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch {
    /* Without storage the system's word holds. */
  }
  const dark = kept === "dark" || (kept !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
