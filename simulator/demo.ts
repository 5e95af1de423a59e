/**
 * The entry of `npm run demo`. What it does is in `demo/run-demo.ts`.
 */
import { demoCommand } from "./demo/command.js";

await demoCommand().parseAsync();
