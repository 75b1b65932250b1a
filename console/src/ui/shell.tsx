/** The frame of every page: navigation and connection status. */

import type { ComponentChildren } from "preact";
import { leave } from "../api/client";
import { links } from "../router";
import { Icon, type IconName } from "./icons";
import { connection } from "./resource";
import { useStore } from "./store";
import { ThemeButton } from "./theme";
import { toast } from "./toasts";

const PLACES: { name: string; label: string; icon: IconName; link: string }[] = [
  { name: "", label: "Overview", icon: "overview", link: links.overview() },
  { name: "portfolios", label: "Portfolios", icon: "people", link: links.people() },
  { name: "runs", label: "Runs", icon: "runs", link: links.runs() },
  { name: "start", label: "Start a run", icon: "play", link: links.start() },
  { name: "deliveries", label: "Deliveries", icon: "send", link: links.deliveries() },
  { name: "audit", label: "Audit log", icon: "audit", link: links.audit() },
];

export function Brand() {
  return (
    <span class="brand">
      <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" class="brand-back" />
        <path d="M7 21.5l6-6.5 4.5 4L25 10.5" class="brand-line" />
        <circle cx="25" cy="10.5" r="2.6" class="brand-dot" />
      </svg>
      Portfolio analysis
    </span>
  );
}

export function Shell({ place, children }: { place: string; children: ComponentChildren }) {
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={skip}>
        Skip to content
      </button>
      <header class="side">
        <div class="side-parts">
          <Brand />
          <nav class="places" aria-label="Main">
            <ul>
              {PLACES.map(({ name, label, icon, link }) => (
                <li key={name}>
                  <a href={link} aria-current={name === place ? "page" : undefined}>
                    <Icon name={icon} />
                    <span>{label}</span>
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          <div class="side-foot">
            <ThemeButton />
            <button type="button" class="icon-button" onClick={signOut} aria-label="Sign out" title="Sign out">
              <Icon name="leave" />
            </button>
          </div>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Connection />
        {children}
      </main>
    </div>
  );
}

/** Sign out. If the session cannot be ended, the user stays signed in and can try again. */
function signOut(): void {
  leave().catch((error) => toast(`You are still signed in: ${error.message}`));
}

/** Move the focus by script: the fragment of the address names the page, so a link to an element is not possible. */
function skip(): void {
  document.getElementById("main")?.focus();
}

function Connection() {
  const down = useStore(connection) === "down";
  return (
    <div role="status" class="connection">
      {down && (
        <p class="connection-lost">
          <Icon name="warning" /> Connection lost. The data may be out of date. Reconnecting …
        </p>
      )}
    </div>
  );
}
