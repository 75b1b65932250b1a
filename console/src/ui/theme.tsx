/** The light or dark theme: that of the system, unless the user chooses one. */

import { keep, kept } from "../storage";
import { Icon, type IconName } from "./icons";
import { Store, useStore } from "./store";

type Choice = "system" | "light" | "dark";

const KEPT = "theme";
const NEXT: Record<Choice, Choice> = { system: "light", light: "dark", dark: "system" };
const ICONS: Record<Choice, IconName> = { system: "screen", light: "sun", dark: "moon" };
const LABELS: Record<Choice, string> = { system: "system", light: "light", dark: "dark" };

const system = matchMedia("(prefers-color-scheme: dark)");
const choice = new Store<Choice>(keptChoice());
/** The theme shown. Charts are redrawn when it changes. */
export const theme = new Store<"light" | "dark">("light");

function keptChoice(): Choice {
  const chosen = kept("localStorage", KEPT);
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

function apply(): void {
  const chosen = choice.get();
  const shown = chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
  document.documentElement.dataset.theme = shown;
  theme.set(shown);
}

export function startTheme(): void {
  choice.listen((chosen) => {
    keep("localStorage", KEPT, chosen);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

export function ThemeButton() {
  const chosen = useStore(choice);
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Theme: ${LABELS[chosen]}. Change`}
      title={`Theme: ${LABELS[chosen]}`}
      onClick={() => choice.set(NEXT[chosen])}
    >
      <Icon name={ICONS[chosen]} />
    </button>
  );
}
