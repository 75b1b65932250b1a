/** The storage of the browser, which may be disabled. */

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
    // Without storage, the value is lost when the page closes.
  }
}
