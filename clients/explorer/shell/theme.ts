/**
 * Light or dark: as the system has it, or as the reader chose.
 */
import { effect, signal } from "@preact/signals";

const KEY = "xenstore-tng-theme";
const CHOICES = ["system", "light", "dark"] as const;
const system = matchMedia("(prefers-color-scheme: dark)");
const isSystemDark = signal(system.matches);

/** What the reader chose. */
export type ThemeChoice = (typeof CHOICES)[number];

/** The reader's choice. */
export const themeChoice = signal<ThemeChoice>(CHOICES.find((each) => each === localStorage.getItem(KEY)) ?? "system");

/** What is shown: pictures that are painted are painted again when it changes. */
export const theme = signal<"light" | "dark">("light");

system.addEventListener("change", () => {
  isSystemDark.value = system.matches;
});

effect(() => {
  const choice = themeChoice.value;
  const shown = choice === "system" ? (isSystemDark.value ? "dark" : "light") : choice;
  document.documentElement.dataset["theme"] = shown;
  localStorage.setItem(KEY, choice);
  theme.value = shown;
});

/** The next choice after this one. */
export function nextTheme(): void {
  const at = CHOICES.indexOf(themeChoice.value);
  themeChoice.value = CHOICES[(at + 1) % CHOICES.length] ?? "system";
}

/** A colour of the style sheet, for what is painted on a canvas: `--accent`. */
export function colour(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
