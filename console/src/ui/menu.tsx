/** A button that opens choices below it, until something else is clicked or Escape is pressed. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "./icons";

interface MenuProps {
  label: string;
  icon: IconName;
  class?: string;
  children: ComponentChildren;
}

export function Menu({ label, icon, class: classes, children }: MenuProps) {
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => menu.current?.removeAttribute("open");
  useEffect(() => {
    const leave = (event: Event) => menu.current?.contains(event.target as Node) || close();
    document.addEventListener("click", leave);
    return () => document.removeEventListener("click", leave);
  }, []);
  const closeByKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      close();
      menu.current?.querySelector("summary")?.focus();
    }
  };
  return (
    <details class={`menu ${classes ?? ""}`} ref={menu} onKeyDown={closeByKey}>
      <summary class="button">
        <Icon name={icon} size={16} /> {label}
      </summary>
      <fieldset class="menu-parts">
        <legend class="hidden">{label}</legend>
        {children}
      </fieldset>
    </details>
  );
}
