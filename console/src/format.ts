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

/** Return an amount of money, without cents from 1,000. */
export function money(value: Figure, currency = "USD", sign: "auto" | "exceptZero" = "auto"): string {
  return shown(value, (known) => {
    const digits = Math.abs(known) >= 1000 ? 0 : 2;
    const key = `${currency} ${digits} ${sign}`;
    let format = moneyFormats.get(key);
    if (!format) {
      format = new Intl.NumberFormat(undefined, {
        style: "currency",
        currency,
        currencyDisplay: "narrowSymbol",
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
        signDisplay: sign,
      });
      moneyFormats.set(key, format);
    }
    return format.format(known);
  });
}

export const time = (iso: string): string => moment.format(new Date(iso));
export const timeInUtc = (iso: string): string => `${momentInUtc.format(new Date(iso))} UTC`;
export const clockTime = (iso: string): string => clock.format(new Date(iso));
export const clockTimeInUtc = (iso: string): string => `${clockInUtc.format(new Date(iso))} UTC`;
export const longDay = (iso: string): string => weekday.format(new Date(iso));
export const date = (iso: string | null): string => (iso === null ? NONE : day.format(new Date(iso)));

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
