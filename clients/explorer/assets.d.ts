/**
 * What the build takes that is no module.
 */
declare module "*.css";
