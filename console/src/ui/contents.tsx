/** The bar with the sections of a long page. It stays at the top, and marks the section in view. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { sectionId } from "./parts";

export interface Entry {
  name: string;
  label: string;
  link: string;
}

interface ContentsProps {
  entries: Entry[];
  /** The section that the address names. */
  asked: string | null;
}

// A section is in view from this distance below the bar on; less than that of a scroll is none.
const REACH_PX = 60;
const STILL_PX = 2;

export function Contents({ entries, asked }: ContentsProps) {
  const bar = useRef<HTMLElement>(null);
  const [inView, setInView] = useState(entries[0]?.name);
  // Where the page stood after the last jump: a short section at its end is not at the top of the window then.
  const jumpedTo = useRef<number | null>(null);
  const names = entries.map(({ name }) => name);

  const show = (name: string) => {
    const section = document.getElementById(sectionId(name));
    if (section) {
      section.querySelector("h2")?.focus({ preventScroll: true });
      section.scrollIntoView();
      jumpedTo.current = scrollY;
      setInView(name);
    }
  };

  useLayoutEffect(() => {
    if (asked !== null) {
      show(asked);
    }
  }, [asked]);

  useEffect(() => {
    const follow = () => {
      if (jumpedTo.current !== null && Math.abs(scrollY - jumpedTo.current) < STILL_PX) {
        return;
      }
      jumpedTo.current = null;
      const line = (bar.current?.getBoundingClientRect().bottom ?? 0) + REACH_PX;
      const top = (name: string) => document.getElementById(sectionId(name))?.getBoundingClientRect().top ?? 0;
      setInView(names.findLast((name) => top(name) <= line) ?? names[0]);
    };
    follow();
    addEventListener("scroll", follow, { passive: true });
    return () => removeEventListener("scroll", follow);
  }, [names.join()]);

  useEffect(() => keepInSight(bar.current), [inView]);

  return (
    <nav class="contents" aria-label="Sections" ref={bar}>
      <ul>
        {entries.map(({ name, label, link }) => (
          <li key={name}>
            <a
              href={link}
              aria-current={name === inView ? "location" : undefined}
              // The address does not change if it names the section already.
              onClick={() => name === asked && show(name)}
            >
              {label}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** Scroll the bar of a narrow screen so that the marked entry can be seen. */
function keepInSight(bar: HTMLElement | null): void {
  const [list, marked] = [bar?.querySelector("ul"), bar?.querySelector<HTMLElement>("[aria-current]")];
  if (list && marked) {
    list.scrollLeft = marked.offsetLeft - (list.clientWidth - marked.offsetWidth) / 2;
  }
}
