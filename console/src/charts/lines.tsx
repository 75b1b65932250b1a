/**
 * A line chart over time, drawn by uPlot. Its values can be read with the pointer, the arrow keys and a table.
 *
 * All charts of a page show the same day.
 */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { date } from "../format";
import { Choice } from "../ui/choice";
import { Store, useStore } from "../ui/store";
import { theme } from "../ui/theme";
import { firstOf, type Period, periodsOf } from "./periods";

export interface Line {
  label: string;
  /** Factors of growth since the start, where the chart shows growth. */
  values: (number | null)[];
  /** The name of the color in the style sheet. */
  color: string;
  fill?: boolean;
}

interface LinesProps {
  title: string;
  /** The description for screen readers. */
  summary: string;
  dates: string[];
  lines: Line[];
  /** Whether the lines show growth, which is then that since the start of the period shown. */
  isGrowth?: boolean;
  format: (value: number | null) => string;
  /** The format of the axis, where it differs. */
  axis?: (value: number | null) => string;
  height: number;
}

/** The height of the periods, the values and the link to the table around a chart. */
export const AROUND_CHART = 109;

const DAY = 86_400;
const MONTH = 30 * DAY;
const YEAR = 365 * DAY;
/** The distances of labels, which are whole days: uPlot's own, without hours. */
const INCREMENTS = [
  ...[1, 2, 3, 4, 5, 6, 7, 10, 15].map((days) => days * DAY),
  ...[1, 2, 3, 4, 6].map((months) => months * MONTH),
  ...[1, 2, 5, 10, 25].map((years) => years * YEAR),
];
const LABEL_WIDTH = 96;
const MOST_ROWS = 60;
// Labels that cannot be taken for each other: a month always has its year, and a day both.
const yearLabel = new Intl.DateTimeFormat(undefined, { year: "numeric", timeZone: "UTC" });
const monthLabel = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric", timeZone: "UTC" });

/** The day that all charts show, null for the last one of each. */
const day = new Store<string | null>(null);
// The values of charts may be of different days of a week.
const WEEK_MS = 7 * DAY * 1000;

/** Return the place of a day in the dates of a chart, null where they do not reach. */
function placeOf(shownDay: string | null, dates: string[]): number | null {
  const place = shownDay === null ? -1 : dates.findLastIndex((known) => known <= shownDay);
  return place >= 0 && Date.parse(shownDay ?? "") - Date.parse(dates[place] ?? "") < WEEK_MS ? place : null;
}

export function Lines(props: LinesProps) {
  const [period, setPeriod] = useState<Period>("all");
  const periods = useMemo(() => periodsOf(props.dates), [props.dates]);
  const shown = useMemo(() => within(period, props), [props.dates, period]);
  return (
    <figure class="lines">
      {periods.length > 0 && (
        <Choice label={`Period of ${props.title}`} options={periods} chosen={period} onChoose={setPeriod} />
      )}
      <Plot {...shown} since={props.isGrowth && period !== "all" ? (shown.dates[0] ?? null) : null} />
      {useMemo(
        () => (
          <LinesTable {...shown} />
        ),
        [shown],
      )}
    </figure>
  );
}

/** Return what a chart shows of a period; growth begins with it. */
function within(period: Period, props: LinesProps): LinesProps {
  const first = firstOf(period, props.dates);
  const lines = props.lines.map((line) => {
    const values = line.values.slice(first);
    return { ...line, values: props.isGrowth ? grown(values, period === "all") : values };
  });
  return { ...props, dates: props.dates.slice(first), lines };
}

function grown(factors: (number | null)[], isAll: boolean): (number | null)[] {
  const base = isAll ? 1 : (factors.find((factor) => factor !== null) ?? 1);
  return factors.map((factor) => (factor === null || base <= 0 ? null : factor / base - 1));
}

/** The chart, with the values of the day that is shown. */
function Plot(props: LinesProps & { since: string | null }) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shownTheme = useStore(theme);
  const at = placeOf(useStore(day), props.dates);
  const last = props.dates.length - 1;
  const place = at ?? last;

  useEffect(() => {
    const element = frame.current;
    if (!element) {
      return;
    }
    const drawn = new uPlot(optionsOf(props, element.clientWidth), dataOf(props), element);
    plot.current = drawn;
    const resizing = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: props.height }));
    resizing.observe(element);
    return () => {
      resizing.disconnect();
      drawn.destroy();
      day.set(null);
    };
  }, [props.dates, shownTheme]);

  useEffect(() => {
    const drawn = plot.current;
    const left = drawn && at !== null ? drawn.valToPos(drawn.data[0][at] ?? 0, "x") : OUTSIDE;
    drawn?.setCursor({ left, top: at === null ? OUTSIDE : 0 }, false);
  }, [at, props.dates, shownTheme]);

  const point = (event: MouseEvent) => {
    const over = plot.current?.over.getBoundingClientRect();
    const found = over && event.clientX >= over.left && event.clientX <= over.right;
    day.set(found ? (props.dates[plot.current?.posToIdx(event.clientX - over.left) ?? last] ?? null) : null);
  };

  const step = (event: KeyboardEvent) => {
    const moved = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last }[event.key];
    if (moved !== undefined) {
      event.preventDefault();
      day.set(props.dates[Math.min(last, Math.max(0, moved))] ?? null);
    }
  };

  const values = props.lines.map((line) => ({ ...line, value: props.format(line.values[place] ?? null) }));
  const shownDate = date(props.dates[place] ?? null);
  return (
    <>
      <figcaption class="line-values">
        <span>{shownDate}</span>
        {values.map(({ label, color, value }) => (
          <span key={label} class="line-value">
            <span class={`swatch ${color}`} />
            {label} <strong>{value}</strong>
          </span>
        ))}
        {props.since !== null && <span>since {date(props.since)}</span>}
      </figcaption>
      <div
        ref={frame}
        class="frame"
        style={{ height: `${props.height}px` }}
        role="slider"
        tabIndex={0}
        aria-label={props.summary}
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={place}
        aria-valuetext={`${shownDate}: ${values.map(({ label, value }) => `${label} ${value}`).join(", ")}`}
        onKeyDown={step}
        onBlur={() => day.set(null)}
        onMouseMove={point}
        onMouseLeave={() => day.set(null)}
      />
    </>
  );
}

/** Where uPlot draws no cursor. */
const OUTSIDE = -10;

/** The values as a table, of many the last of each quarter. */
function LinesTable({ title, dates, lines, format }: LinesProps) {
  const quarter = (iso: string | undefined) =>
    iso && `${iso.slice(0, 4)} ${Math.floor((Number(iso.slice(5, 7)) - 1) / 3)}`;
  const isLong = dates.length > MOST_ROWS;
  const rows = dates.map((_, row) => row).filter((row) => !isLong || quarter(dates[row]) !== quarter(dates[row + 1]));
  return (
    <details>
      <summary>View as table</summary>
      <table class="table compact">
        <caption class="hidden">
          {title}
          {isLong && ", at the end of each quarter"}
        </caption>
        <thead>
          <tr>
            <th scope="col">Date</th>
            {lines.map((line) => (
              <th key={line.label} scope="col" class="number">
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              <th scope="row">{date(dates[row] ?? null)}</th>
              {lines.map((line) => (
                <td key={line.label} class="number">
                  {format(line.values[row] ?? null)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function dataOf({ dates, lines }: LinesProps): uPlot.AlignedData {
  return [dates.map((day) => Date.parse(day) / 1000), ...lines.map((line) => line.values)];
}

function optionsOf(props: LinesProps, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: color("muted"),
    font: `12px ${style.getPropertyValue("--font")}`,
    grid: { stroke: color("grid"), width: 1 },
    ticks: { show: false },
  };
  const notListening = () => null;
  return {
    width,
    height: props.height,
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7 },
      // The day that is shown sets the cursor.
      bind: { mousemove: notListening, mouseenter: notListening, mouseleave: notListening },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: LABEL_WIDTH,
        incrs: INCREMENTS,
        size: 32,
        values: (_, splits, __, ___, increment) => splits.map((at) => labelOf(at, increment)),
      },
      { ...axis, size: 58, gap: 6, values: (_, splits) => splits.map((value) => (props.axis ?? props.format)(value)) },
    ],
    series: [
      {},
      ...props.lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: 2,
        ...(line.fill ? { fill: color(`${line.color}-fill`) } : {}),
        points: { show: false },
      })),
    ],
  };
}

function labelOf(seconds: number, increment: number): string {
  const milliseconds = seconds * 1000;
  if (increment >= YEAR) {
    return yearLabel.format(milliseconds);
  }
  return increment >= MONTH ? monthLabel.format(milliseconds) : date(new Date(milliseconds).toISOString());
}
