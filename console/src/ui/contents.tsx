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

// A section is in view from this distance below the bar on; a smaller move than that of a scroll is none.
const REACH_PX = 60;
const STILL_PX = 2;

const topOf = (name: string): number =>
  document.getElementById(sectionId(name))?.getBoundingClientRect().top ?? Number.POSITIVE_INFINITY;

export function Contents({ entries, asked }: ContentsProps) {
  const bar = useRef<HTMLElement>(null);
  const [inView, setInView] = useState(entries[0]?.name);
  // The section that a link led to, and its place in the window, as long as the reader stays there.
  const jumped = useRef<{ name: string; top: number } | null>(null);
  const names = entries.map(({ name }) => name);

  const scrollTo = (name: string) => {
    document.getElementById(sectionId(name))?.scrollIntoView();
    jumped.current = { name, top: topOf(name) };
  };

  const show = (name: string) => {
    if (names.includes(name)) {
      document.getElementById(sectionId(name))?.querySelector("h2")?.focus({ preventScroll: true });
      scrollTo(name);
      setInView(name);
    }
  };

  useLayoutEffect(() => {
    if (asked !== null) {
      show(asked);
    }
  }, [asked]);

  useEffect(() => {
    const hasMoved = () => jumped.current && Math.abs(topOf(jumped.current.name) - jumped.current.top) >= STILL_PX;
    const follow = () => {
      if (jumped.current && !hasMoved()) {
        return; // a short section at the end of the page cannot be at the top of the window
      }
      jumped.current = null;
      const line = (bar.current?.getBoundingClientRect().bottom ?? 0) + REACH_PX;
      setInView(names.findLast((name) => topOf(name) <= line) ?? names[0]);
    };
    // What loads above a section pushes it away, unless the browser prevents that.
    const grown = new ResizeObserver(() => jumped.current && hasMoved() && scrollTo(jumped.current.name));
    grown.observe(document.body);
    follow();
    addEventListener("scroll", follow, { passive: true });
    return () => {
      grown.disconnect();
      removeEventListener("scroll", follow);
    };
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
