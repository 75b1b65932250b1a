/** Short messages after an action. They close by themselves, and screen readers announce them. */

import { Icon } from "./icons";
import { Store, useStore } from "./store";

interface Toast {
  id: number;
  text: string;
  link?: { label: string; href: string };
}

const SHOWN_MS = 8_000;
const toasts = new Store<Toast[]>([]);
let lastId = 0;

export function toast(text: string, link?: Toast["link"]): void {
  lastId += 1;
  const id = lastId;
  toasts.set([...toasts.get(), link ? { id, text, link } : { id, text }]);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((shown) => shown.id !== id));
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {useStore(toasts).map((shown) => (
        <div class="toast" key={shown.id}>
          <Icon name="check" />
          <span>{shown.text}</span>
          {shown.link && <a href={shown.link.href}>{shown.link.label}</a>}
          <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => dismiss(shown.id)}>
            <Icon name="close" size={16} />
          </button>
        </div>
      ))}
    </div>
  );
}
