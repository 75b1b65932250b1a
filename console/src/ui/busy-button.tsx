/** A button whose action takes a while. */

import type { ComponentChildren } from "preact";

interface BusyButtonProps {
  busy: boolean;
  type?: "button" | "submit";
  class?: string;
  onClick?: () => void;
  children: ComponentChildren;
}

/** Does nothing while it is busy. Not `disabled` meanwhile: it would lose the focus, and a dialog could not return it. */
export function BusyButton({ busy, type = "button", onClick, children, ...rest }: BusyButtonProps) {
  const click = (event: Event) => {
    if (busy) {
      event.preventDefault(); // also keeps the Enter key in a field from submitting the form again
    } else {
      onClick?.();
    }
  };
  return (
    <button {...rest} type={type} onClick={click} aria-disabled={busy} aria-busy={busy}>
      {children}
    </button>
  );
}
