/** The correlations of holdings as a table with colored cells. */

import { ratio } from "../format";
import { Scrollable } from "../ui/parts";

// The strongest color of a cell; a stronger one would leave too little contrast for its figure.
const STRONGEST_PERCENT = 55;

export function HeatMap({ symbols, values }: { symbols: string[]; values: (number | null)[][] }) {
  return (
    <Scrollable label="Correlations">
      <table class="heat-map">
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
