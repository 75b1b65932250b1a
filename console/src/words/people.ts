/** Labels for people and for what is said about them in a night. */

import type { Attention } from "../api/people-types";
import type { Tone } from "../ui/parts";
import { RULES } from "./reports";

// Anything but control characters, blanks and marks.
const VISIBLE = /[^\p{C}\p{Z}\p{M}]/u;

/** Return a name; null where there is nothing to see. */
export const visible = (name: string | null): string | null => (name !== null && VISIBLE.test(name) ? name : null);

/** Return a name as the title of a tab, where its characters may not change the direction of the text around it. */
export const plain = (name: string | null): string | null => visible(name)?.replaceAll(/\p{C}/gu, "") ?? null;

export const REASONS: Record<Attention["why"], { tone: Tone; label: string }> = {
  failed: { tone: "bad", label: "Failed" },
  incomplete: { tone: "warning", label: "Incomplete" },
  new_breach: { tone: "bad", label: "New breach" },
  breach: { tone: "bad", label: "Breach" },
};

export const ruleOf = (rule: string): string => RULES[rule]?.label ?? rule;
