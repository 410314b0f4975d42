/** Styles are modules to the bundler and nothing to the compiler. Owns no code. */
declare module "*.css";
