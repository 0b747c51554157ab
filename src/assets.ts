import { fileURLToPath } from 'node:url';

/** The folder of the embedded model, in the package root; src/ and dist/ both lie one level below it. */
export const tinyModelDir: string = fileURLToPath(new URL('../assets/tiny', import.meta.url));

/** The folder of the report's style sheet and script. */
export const reportAssets: string = fileURLToPath(new URL('../assets/report', import.meta.url));

/** The C program that starts others under the sandbox's system-call filter, where bubblewrap does not. */
export const launcherSource: string = fileURLToPath(new URL('../assets/sandbox/launch.c', import.meta.url));

/** The folder of what the quickstart's settings were chosen by. */
export const quickstartAssets: string = fileURLToPath(new URL('../assets/quickstart', import.meta.url));

/** The C sources of the driver that runs programs nobody has read (src/sandbox/c). */
export const driverAssets: string = fileURLToPath(new URL('../assets/driver', import.meta.url));
