/** Where the reader is: everything behind the `#` of the address, so that each view can be linked to. */

import { useEffect, useState } from "preact/hooks";

// What the browser keeps with an address that has been shown.
const SEEN = "seen";

export interface Place {
  path: string[];
  query: URLSearchParams;
}

export function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function linkTo(path: string[], query: Record<string, string | null> = {}): string {
  const told = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = told.length ? `?${new URLSearchParams(told)}` : "";
  return `#/${path.map(encodeURIComponent).join("/")}${search}`;
}

export function go(link: string): void {
  location.hash = link;
}

/** Change the address without a step in the history, as for every letter of a search. */
export function replace(link: string): void {
  history.replaceState(history.state, "", link);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Show a page from its top where a link led to it; on a step back the browser finds the place by itself. */
function beginAtTop(): void {
  if (history.state !== SEEN) {
    scrollTo(0, 0);
    history.replaceState(SEEN, "");
  }
}

export function usePlace(): Place {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const update = () => {
      beginAtTop();
      setHash(location.hash);
    };
    beginAtTop();
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return placeOf(hash);
}

export const links = {
  overview: () => linkTo([]),
  start: () => linkTo(["start"]),
  runs: (before: string | null = null) => linkTo(["runs"], { before }),
  run: (runId: string) => linkTo(["runs", runId]),
  portfolios: (runId: string, query: Record<string, string | null> = {}) =>
    linkTo(["runs", runId, "portfolios"], query),
  portfolio: (runId: string, userId: string) => linkTo(["runs", runId, "portfolios", userId]),
  audit: (before: string | null = null) => linkTo(["audit"], { before }),
};
