/** A line chart over time, drawn by uPlot. Its values can be read with the pointer, the arrow keys and a table. */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { date } from "../format";
import { useStore } from "../ui/store";
import { theme } from "../ui/theme";

export interface Line {
  label: string;
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
  format: (value: number | null) => string;
  /** The format of the axis, where it differs. */
  axis?: (value: number | null) => string;
  height: number;
}

const DAY = 86_400;
const YEAR_AND_MORE = 350 * DAY;
const yearLabel = new Intl.DateTimeFormat(undefined, { year: "numeric", timeZone: "UTC" });
const monthLabel = new Intl.DateTimeFormat(undefined, { month: "short", year: "2-digit", timeZone: "UTC" });
const dayLabel = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });

export function Lines(props: LinesProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const shownTheme = useStore(theme);
  const last = props.dates.length - 1;
  const place = at ?? last;

  useEffect(() => {
    const element = frame.current;
    if (!element) {
      return;
    }
    const drawn = new uPlot(optionsOf(props, element.clientWidth, setAt), dataOf(props), element);
    plot.current = drawn;
    const resizing = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: props.height }));
    resizing.observe(element);
    return () => {
      resizing.disconnect();
      drawn.destroy();
    };
  }, [props.dates, shownTheme]);

  const step = (event: KeyboardEvent) => {
    const moved = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last }[event.key];
    const drawn = plot.current;
    if (moved === undefined || !drawn) {
      return;
    }
    event.preventDefault();
    const next = Math.min(last, Math.max(0, moved));
    drawn.setCursor({ left: drawn.valToPos(drawn.data[0][next] ?? 0, "x"), top: 0 }, false);
    setAt(next);
  };

  return (
    <figure class="lines">
      <figcaption class="line-values">
        <span>{date(props.dates[place] ?? null)}</span>
        {props.lines.map((line) => (
          <span key={line.label} class="line-value">
            <span class={`swatch ${line.color}`} />
            {line.label} <strong>{props.format(line.values[place] ?? null)}</strong>
          </span>
        ))}
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
        aria-valuetext={`${date(props.dates[place] ?? null)}: ${props.lines.map((line) => `${line.label} ${props.format(line.values[place] ?? null)}`).join(", ")}`}
        onKeyDown={step}
        onBlur={() => setAt(null)}
      />
      <LinesTable {...props} />
    </figure>
  );
}

/** The last value of each quarter as a table. */
function LinesTable({ title, dates, lines, format }: LinesProps) {
  const quarter = (iso: string | undefined) =>
    iso && `${iso.slice(0, 4)} ${Math.floor((Number(iso.slice(5, 7)) - 1) / 3)}`;
  const rows = dates.map((_, row) => row).filter((row) => quarter(dates[row]) !== quarter(dates[row + 1]));
  return (
    <details>
      <summary>View as table</summary>
      <table class="table compact">
        <caption class="hidden">{title}, at the end of each quarter</caption>
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

function optionsOf(props: LinesProps, width: number, onMove: (place: number | null) => void): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: color("muted"),
    font: `12px ${style.getPropertyValue("--font")}`,
    grid: { stroke: color("grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: props.height,
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    hooks: {
      setCursor: [(drawn) => onMove(drawn.cursor.left && drawn.cursor.left >= 0 ? (drawn.cursor.idx ?? null) : null)],
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 70,
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
  const format = increment >= YEAR_AND_MORE ? yearLabel : increment >= 25 * DAY ? monthLabel : dayLabel;
  return format.format(seconds * 1000);
}
