/** The place shown, taken from the fragment of the address, so that each view has a link. */

import { useEffect, useState } from "preact/hooks";
import { isOfPerson } from "./api/audience";

// The history state of an address that has been shown.
const SEEN = "seen";
const LINK = "#/";

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
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  return `${LINK}${path.map(encodeURIComponent).join("/")}${search}`;
}

/** Return the name of a link, by which the address of another page can lead back to it. */
export const nameOf = (link: string): string => link.slice(LINK.length);
export const linkOf = (name: string): string => LINK + name;

export function go(link: string): void {
  location.hash = link;
}

/** Change the address without a step in the history, for example while a search is typed. */
export function replace(link: string): void {
  history.replaceState(history.state, "", link);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/**
 * Scroll to the top of a page opened by a link, unless the link is to a section, to which the page scrolls itself.
 *
 * On a step back, the browser restores the position.
 */
function beginAtTop(): void {
  if (history.state !== SEEN) {
    if (!placeOf(location.hash).query.has("section")) {
      scrollTo(0, 0);
    }
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
  people: (query: Record<string, string | null> = {}) => linkTo(["portfolios"], query),
  deliveries: (query: Record<string, string | null> = {}) => linkTo(["deliveries"], query),
  portfolios: (runId: string, query: Record<string, string | null> = {}) =>
    linkTo(["runs", runId, "portfolios"], query),
  portfolio: (runId: string, userId: string, query: Record<string, string | null> = {}) =>
    linkTo(isOfPerson ? [] : ["runs", runId, "portfolios", userId], query),
  audit: (before: string | null = null) => linkTo(["audit"], { before }),
};
