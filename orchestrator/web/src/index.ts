/** The package's public names, without React. */
export * from "./generated.js";
export type * from "./types.js";
