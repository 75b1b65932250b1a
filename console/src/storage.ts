/** What the browser keeps for the page: nothing, where it was told to keep nothing for any site. */

type Where = "localStorage" | "sessionStorage";

export function kept(where: Where, name: string): string | null {
  try {
    return window[where].getItem(name);
  } catch {
    return null;
  }
}

export function keep(where: Where, name: string, value: string | null): void {
  try {
    if (value === null) {
      window[where].removeItem(name);
    } else {
      window[where].setItem(name, value);
    }
  } catch {
    // Then it holds for as long as the page is open.
  }
}
