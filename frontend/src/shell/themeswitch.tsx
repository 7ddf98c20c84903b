// Light, dark, or as the system says: one button goes round.
import { choose, useThemeChoice, type Choice } from "./theme";

const NEXT: Record<Choice, Choice> = { system: "dark", dark: "light", light: "system" };
const SIGNS: Record<Choice, string> = { system: "◐", dark: "☾", light: "☀" };
const WORDS: Record<Choice, string> = {
  system: "colours as the system has them",
  dark: "dark colours",
  light: "light colours",
};

export function ThemeSwitch() {
  const now = useThemeChoice();
  return (
    <button
      className="plain theme-switch"
      onClick={() => choose(NEXT[now])}
      title={`${WORDS[now]}; next: ${WORDS[NEXT[now]]}`}
      aria-label={WORDS[now]}
    >
      {SIGNS[now]}
    </button>
  );
}
