/** The building blocks of pages. */

import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useRef } from "preact/hooks";
import { Problem, Unreachable } from "../api/problem";
import { timeInUtc, time as toText } from "../format";
import { Icon, type IconName } from "./icons";

export type Tone = "ok" | "warning" | "bad" | "info" | "neutral";

const TONE_ICONS: Record<Tone, IconName> = {
  ok: "check",
  warning: "warning",
  bad: "error",
  info: "running",
  neutral: "stopped",
};

export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      <Icon name={TONE_ICONS[tone]} size={14} />
      {children}
    </span>
  );
}

/** The section that cards are in. */
const Within = createContext<{ title: string; headingId: string } | null>(null);

/** Return the ID of the element of a section. */
export const sectionId = (name: string): string => `section-${name}`;

interface SectionProps {
  name: string;
  title: string;
  /** Whether the content says itself what it is. */
  isTitleHidden?: boolean;
  children: ComponentChildren;
}

/** A section of a long page: cards below a heading, which gets the focus when a link leads to the section. */
export function Section({ name, title, isTitleHidden, children }: SectionProps) {
  const headingId = `${sectionId(name)}-title`;
  return (
    <div class="section" id={sectionId(name)}>
      <h2 id={headingId} tabIndex={-1} class={isTitleHidden ? "hidden" : undefined}>
        {title}
      </h2>
      <Within.Provider value={{ title, headingId }}>{children}</Within.Provider>
    </div>
  );
}

/** A part of a page with a heading; the heading of its section, if they are called the same. */
export function Card(props: {
  title: string;
  id?: string;
  action?: ComponentChildren;
  note?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  const within = useContext(Within);
  const isNamed = within?.title === props.title;
  const id = isNamed ? within.headingId : (props.id ?? props.title.toLowerCase().replace(/\W+/g, "-"));
  const Heading = within ? "h3" : "h2";
  return (
    <section class={`card ${props.class ?? ""}`} aria-labelledby={id}>
      {(!isNamed || props.note || props.action) && (
        <header class="card-head">
          <div>
            {!isNamed && <Heading id={id}>{props.title}</Heading>}
            {props.note && <p class="note">{props.note}</p>}
          </div>
          {props.action}
        </header>
      )}
      {props.children}
    </section>
  );
}

/** The heading of a page, with breadcrumbs and actions. It gets the focus when the page opens. */
export function PageHead(props: {
  title: string;
  /** What stands in the heading, where this is more than the title. */
  heading?: ComponentChildren;
  /** The shown part of the page, for the title of the tab. */
  part?: string | undefined;
  trail?: [string, string][];
  about?: ComponentChildren;
  actions?: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = [props.part, props.title, "Portfolio analysis"].filter(Boolean).join(" · ");
  }, [props.part, props.title]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <header class="page-head">
      {props.trail && (
        <nav aria-label="Breadcrumb">
          <ol class="trail">
            {props.trail.map(([label, link], place) => (
              <li key={link}>
                {place > 0 && <Icon name="next" size={12} />}
                <a href={link}>{label}</a>
              </li>
            ))}
          </ol>
        </nav>
      )}
      <div class="page-title">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {props.heading ?? props.title}
          </h1>
          {props.about && <div class="about">{props.about}</div>}
        </div>
        {props.actions && <div class="actions">{props.actions}</div>}
      </div>
    </header>
  );
}

export function Fact({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Notice(props: { tone: Tone; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class={`notice ${props.tone}`} role={props.tone === "bad" ? "alert" : "status"}>
      <Icon name={TONE_ICONS[props.tone]} size={20} />
      <div class="notice-text">
        <strong>{props.title}</strong>
        {props.children && <div>{props.children}</div>}
      </div>
      {props.action}
    </div>
  );
}

/** An error message, with a button to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const again = retry && (
    <button type="button" class="button" onClick={retry}>
      Try again
    </button>
  );
  if (error instanceof Problem) {
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    return (
      <Notice tone="bad" title={error.title} action={again}>
        {error.message}
        {wait}
      </Notice>
    );
  }
  const text = error instanceof Unreachable ? error.message : "Something went wrong on this page. Reload it.";
  return (
    <Notice tone="bad" title={error instanceof Unreachable ? "No connection" : "Unexpected error"} action={again}>
      {text}
    </Notice>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

/** A placeholder for content that is loading, with the height of the content. */
export function Skeleton({ height, label = "Loading" }: { height: number; label?: string }) {
  return (
    <div class="skeleton" style={{ height: `${height}px` }} role="status">
      <span class="hidden">{label}</span>
    </div>
  );
}

/** A time in the local time zone, with UTC as its tooltip. */
export function Time({ iso }: { iso: string }) {
  return (
    <time dateTime={iso} title={timeInUtc(iso)}>
      {toText(iso)}
    </time>
  );
}

/** A container that scrolls wide tables, also with the keyboard. */
export function Scrollable({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of figures is not a set of fields
    // biome-ignore lint/a11y/noNoninteractiveTabindex: otherwise the keyboard cannot scroll it
    <div class="scrollable" role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

/** Links to the first and the next page, where these exist. */
export function Pager({ first, next, label }: { first: string | null; next: string | null; label: string }) {
  return (
    <nav class="pager" aria-label={label}>
      {first ? (
        <a class="button" href={first}>
          <Icon name="back" size={16} /> First page
        </a>
      ) : (
        <span />
      )}
      {next && (
        <a class="button" href={next}>
          Next page <Icon name="next" size={16} />
        </a>
      )}
    </nav>
  );
}
