/** A line of a few values over time, as small as a word. */

const WIDTH = 104;
const HEIGHT = 28;
const EDGE = 3;

export function Sparkline({ values, label }: { values: [string, number][]; label: string }) {
  const points = pointsOf(values);
  const last = points.at(-1);
  return (
    <svg
      class="sparkline"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <polyline points={points.map((point) => point.join(",")).join(" ")} />
      {last && <circle cx={last[0]} cy={last[1]} r="2.5" />}
    </svg>
  );
}

function pointsOf(values: [string, number][]): [number, number][] {
  const times = values.map(([day]) => Date.parse(day));
  const amounts = values.map(([, amount]) => amount);
  const x = scale(times, EDGE, WIDTH - EDGE);
  const y = scale(amounts, HEIGHT - EDGE, EDGE);
  return values.map(([day, amount]) => [x(Date.parse(day)), y(amount)]);
}

/** Return the function that puts values between two ends; equal values are put in the middle. */
function scale(values: number[], from: number, to: number): (value: number) => number {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const part = (value: number) => (most > least ? (value - least) / (most - least) : 0.5);
  return (value) => Math.round(10 * (from + part(value) * (to - from))) / 10;
}
