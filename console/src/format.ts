/** Numbers and times in the format of the user's locale. An undefined number is a dash. */

export const NONE = "–";

const percentFormats = [0, 1, 2].map(
  (digits) =>
    new Intl.NumberFormat(undefined, {
      style: "percent",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }),
);
const signed = new Intl.NumberFormat(undefined, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
  signDisplay: "exceptZero",
});
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const quantityFormat = new Intl.NumberFormat(undefined, { maximumFractionDigits: 6 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const momentInUtc = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const clockInUtc = new Intl.DateTimeFormat(undefined, { timeStyle: "short", timeZone: "UTC" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
// Calendar dates have no time zone: they are the same everywhere.
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
// Part of English sentences. Always a number: 40 hours ago is not yesterday in every time zone.
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const rateFormat = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 });
const currencyNames = new Intl.DisplayNames("en", { type: "currency" });
const month = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric", timeZone: "UTC" });
const moneyFormats = new Map<string, Intl.NumberFormat>();

type Figure = number | null | undefined;

const shown = (value: Figure, format: (value: number) => string): string =>
  value === null || value === undefined ? NONE : format(value);

export const percent = (value: Figure, digits: 0 | 1 | 2 = 1): string =>
  shown(value, (known) => (percentFormats[digits] ?? signed).format(known));
export const signedPercent = (value: Figure): string => shown(value, (known) => signed.format(known));
export const count = (value: Figure): string => shown(value, (known) => whole.format(known));
export const ratio = (value: Figure): string => shown(value, (known) => decimal.format(known));
export const quantity = (value: Figure): string => shown(value, (known) => quantityFormat.format(known));

type Sign = "auto" | "exceptZero";

// The browser would take GBp, a penny, for a pound.
const MINOR_UNITS: Record<string, string> = { GBX: "GBP", GBp: "GBP", ZAc: "ZAR", ILA: "ILS" };

/** Return an amount of money in a report's currency, without cents from 1,000. */
export function money(value: Figure, currency: string, sign: Sign = "auto"): string {
  return shown(value, (known) => {
    if (!isMajor(currency)) {
      return withCode(known, currency, sign);
    }
    const digits = digitsOf(known, currency);
    return kept(`${currency} ${digits} ${sign}`, () => ({
      ...ofCurrency(currency),
      ...exactly(digits),
      signDisplay: sign,
    })).format(known);
  });
}

/** Return an amount with the code of its currency, as in "12.30 USD": for what is not in the report's currency. */
export const moneyWithCode = (value: Figure, currency: string): string =>
  shown(value, (known) => withCode(known, currency));

/** Return an amount with few digits and without its currency, for the axis of a chart. */
export const shortAmount = (value: Figure): string =>
  shown(value, (known) => kept("short", () => ({ notation: "compact", maximumSignificantDigits: 4 })).format(known));

/** Return an amount of money whose currency is unknown or stated elsewhere. */
export const amount = (value: Figure): string =>
  shown(value, (known) => {
    const digits = Math.abs(known) >= 1000 ? 0 : 2;
    return kept(`${digits}`, () => exactly(digits)).format(known);
  });

/** Return an exchange rate, as in "1 USD = 0.9234 EUR". */
export const exchangeRate = (value: Figure, from: string, to: string): string =>
  shown(value, (known) => `1 ${from} = ${rateFormat.format(known)} ${to}`);

/** Return the name of a currency: "Euro"; its code where it has none. */
export function currencyName(code: string): string {
  try {
    return currencyNames.of(code) ?? code;
  } catch {
    return code;
  }
}

const isMajor = (currency: string): boolean => /^[A-Z]{3}$/.test(currency) && !(currency in MINOR_UNITS);

// Only the dollar of the United States is shown as "$": others have the sign, too.
const ofCurrency = (currency: string): Intl.NumberFormatOptions => ({
  style: "currency",
  currency,
  currencyDisplay: currency === "USD" ? "narrowSymbol" : "symbol",
});

const exactly = (digits: number): Intl.NumberFormatOptions => ({
  minimumFractionDigits: digits,
  maximumFractionDigits: digits,
});

function kept(key: string, options: () => Intl.NumberFormatOptions): Intl.NumberFormat {
  const format = moneyFormats.get(key) ?? new Intl.NumberFormat(undefined, options());
  moneyFormats.set(key, format);
  return format;
}

function withCode(value: number, currency: string, sign: Sign = "auto"): string {
  const digits = digitsOf(value, currency);
  const number = kept(`${digits} ${sign}`, () => ({ ...exactly(digits), signDisplay: sign })).format(value);
  return `${number}\u00a0${currency}`;
}

/** Return the digits after the point: those that the currency has, none from 1,000. */
function digitsOf(value: number, currency: string): number {
  if (Math.abs(value) >= 1000) {
    return 0;
  }
  const own = isMajor(currency) ? kept(currency, () => ofCurrency(currency)).resolvedOptions() : null;
  return own?.maximumFractionDigits ?? 2;
}

export const time = (iso: string): string => moment.format(new Date(iso));
export const timeInUtc = (iso: string): string => `${momentInUtc.format(new Date(iso))} UTC`;
export const clockTime = (iso: string): string => clock.format(new Date(iso));
export const clockTimeInUtc = (iso: string): string => `${clockInUtc.format(new Date(iso))} UTC`;
export const longDay = (iso: string): string => weekday.format(new Date(iso));
export const date = (iso: string | null): string => (iso === null ? NONE : day.format(new Date(iso)));

/** Return a month, given as "2026-11". */
export const monthName = (iso: string): string => month.format(new Date(`${iso}-01`));

const DAY_MS = 86_400_000;

/** Return the age of a date: "today", "3 days ago". */
export function daysAgo(iso: string, now = Date.now()): string {
  const days = Math.floor(now / DAY_MS) - Math.floor(Date.parse(iso) / DAY_MS);
  return days < 1 ? "today" : relative.format(-days, "day");
}

/** Return the weekdays from a date until now. */
export function weekdaysSince(iso: string, now = Date.now()): number {
  const [first, last] = [Math.floor(Date.parse(iso) / DAY_MS), Math.floor(now / DAY_MS)];
  // The first day of the count, 1970-01-01, was a Thursday; of a week that begins on Monday, five days count.
  const until = (day: number) => 5 * Math.floor((day + 3) / 7) + Math.min(5, (day + 3) % 7);
  return Math.max(0, until(last) - until(first));
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** Return a relative time: "3 hours ago", "in 20 minutes". */
export function fromNow(iso: string, now = Date.now()): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) {
      return relative.format(Math.trunc(seconds / size), unit);
    }
  }
  return seconds > 0 ? "in less than a minute" : "just now";
}

/** Return a duration: "80 ms", "4.2 s", "42 s", "3 min 5 s", "2 h 10 min". */
export function duration(seconds: Figure): string {
  return shown(seconds, (known) => {
    if (known < 1) {
      return `${count(known * 1000)} ms`;
    }
    if (known < 10) {
      return `${new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 }).format(known)} s`;
    }
    const total = Math.round(known);
    if (total < 60) {
      return `${total} s`;
    }
    if (total < 3600) {
      return `${Math.floor(total / 60)} min ${total % 60} s`;
    }
    return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
  });
}

/** Return a number with its noun: "1 user", "3 users". */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}
