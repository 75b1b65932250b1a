/** The correlations of holdings as a table with colored cells. */

import { ratio } from "../format";
import { Scrollable } from "../ui/parts";

// The strongest color of a cell; a stronger one would leave too little contrast for its figure.
const STRONGEST_PERCENT = 55;

interface HeatMapProps {
  symbols: string[];
  values: (number | null)[][];
}

export function HeatMap({ symbols, values }: HeatMapProps) {
  return (
    <>
      <Legend />
      <Extremes symbols={symbols} values={values} />
      <Cells symbols={symbols} values={values} />
    </>
  );
}

function Legend() {
  return (
    <div class="heat-legend">
      <span>-1: opposite</span>
      <span class="heat-scale" aria-hidden="true" />
      <span>1: together</span>
    </div>
  );
}

/** The most and the least alike pair, which no color has to be compared for. */
function Extremes({ symbols, values }: HeatMapProps) {
  const pairs = symbols
    .flatMap((one, row) =>
      symbols.slice(0, row).map((other, column) => ({ names: `${other} and ${one}`, value: values[row]?.[column] })),
    )
    .filter((pair): pair is { names: string; value: number } => typeof pair.value === "number")
    .sort((a, b) => b.value - a.value);
  const [most, least] = [pairs[0], pairs.at(-1)];
  if (!most || !least || most === least) {
    return null;
  }
  return (
    <p class="note">
      Most alike: {most.names} ({ratio(most.value)}). Least alike: {least.names} ({ratio(least.value)}).
    </p>
  );
}

function Cells({ symbols, values }: HeatMapProps) {
  return (
    <Scrollable label="Correlations">
      <table class="heat-map">
        <caption class="hidden">Correlation of each pair of holdings</caption>
        <thead>
          <tr>
            <td />
            {symbols.map((symbol) => (
              <th key={symbol} scope="col">
                {symbol}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {symbols.map((symbol, row) => (
            <tr key={symbol}>
              <th scope="row">{symbol}</th>
              {symbols.map((other, column) => (
                <Cell key={other} value={row === column ? 1 : (values[row]?.[column] ?? null)} own={row === column} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrollable>
  );
}

function Cell({ value, own }: { value: number | null; own: boolean }) {
  if (own) {
    return <td class="own">1</td>;
  }
  const share = Math.round(Math.abs(value ?? 0) * STRONGEST_PERCENT);
  const color = (value ?? 0) < 0 ? "var(--heat-negative)" : "var(--heat-positive)";
  return <td style={{ background: `color-mix(in srgb, ${color} ${share}%, var(--surface))` }}>{ratio(value)}</td>;
}
