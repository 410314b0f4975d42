/** The package's public names, without React. */
export type {
  Channel,
  Environment,
  Locks,
  Mark,
  Page,
  PageEvent,
  Wire,
  WireEvents,
  WireOptions,
} from "./environment.js";
export * from "./generated.js";
export { logFrames } from "./log.js";
export { acquireUnifiedClient } from "./registry.js";
export { INITIAL } from "./state.js";
export type * from "./types.js";
export { connectionWords } from "./words.js";
