/** The periods that a chart can show, each ending with the newest date. */

export type Period = "1m" | "3m" | "ytd" | "1y" | "all";

export const PERIODS: { name: Period; label: string; title: string }[] = [
  { name: "1m", label: "1M", title: "1 month" },
  { name: "3m", label: "3M", title: "3 months" },
  { name: "ytd", label: "YTD", title: "Year to date" },
  { name: "1y", label: "1Y", title: "1 year" },
  { name: "all", label: "All", title: "All that is known" },
];

const MONTHS = { "1m": 1, "3m": 3, "1y": 12 };

/** Return the place of the date that a period begins with: the last on or before its first day, -1 if there is none. */
export function firstOf(period: Period, dates: string[]): number {
  const end = dates.at(-1);
  if (period === "all" || end === undefined) {
    return 0;
  }
  const start = period === "ytd" ? `${Number(end.slice(0, 4)) - 1}-12-31` : monthsBefore(end, MONTHS[period]);
  return dates.findLastIndex((date) => date <= start);
}

/** Return the periods that are shorter than all, as far as the dates reach; none if that is all. */
export function periodsOf(dates: string[]): typeof PERIODS {
  const found = PERIODS.filter(({ name }) => name === "all" || firstOf(name, dates) > 0);
  return found.length > 1 ? found : [];
}

/** Return the same day of an earlier month, or its last day. */
function monthsBefore(iso: string, months: number): string {
  const [year = 0, month = 1, day = 1] = iso.split("-").map(Number);
  const lastDay = new Date(Date.UTC(year, month - months, 0)).getUTCDate();
  return new Date(Date.UTC(year, month - 1 - months, Math.min(day, lastDay))).toISOString().slice(0, 10);
}
