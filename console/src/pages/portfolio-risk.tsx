/** Risk figures and stress tests. */

import type { Report, Risk, Stress } from "../api/types";
import { money, NONE, percent } from "../format";
import { Card } from "../ui/parts";
import { hypothetical, riskFigures, SCENARIOS } from "../words/reports";

export function RiskCard({ report, risk }: { report: Report; risk: Risk }) {
  return (
    <Card title="Risk" note={report.performance && hypothetical(report.performance.start)}>
      <dl class="risks">
        {riskFigures(report, risk).map(({ label, value, meaning }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <strong>{value}</strong>
              <span>{meaning}</span>
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

export function StressCard({ stress, currency }: { stress: Stress[]; currency: string }) {
  const deepest = Math.max(...stress.map((entry) => Math.abs(entry.return ?? 0)), 0.001);
  return (
    <Card title="Stress tests" note="Hypothetical gain or loss of today's holdings">
      <table class="bars">
        <caption class="hidden">Stress tests</caption>
        <thead class="hidden">
          <tr>
            <th scope="col">Scenario</th>
            <th scope="col">Chart</th>
            <th scope="col">Return</th>
            <th scope="col">Gain or loss</th>
          </tr>
        </thead>
        <tbody>
          {stress.map((entry) => (
            <tr key={entry.scenario}>
              <th scope="row">
                {SCENARIOS[entry.scenario] ?? entry.scenario}
                {entry.coverage !== null && entry.coverage < 0.995 && (
                  <span class="sub">for {percent(entry.coverage, 0)} of what is owned</span>
                )}
              </th>
              <td class="bar-cell" aria-hidden="true">
                {entry.return !== null && (
                  <span
                    class={`bar ${entry.return < 0 ? "loss" : "gain"}`}
                    style={{ width: `${(100 * Math.abs(entry.return)) / deepest}%` }}
                  />
                )}
              </td>
              <td class="number">{percent(entry.return)}</td>
              <td class="number optional">{entry.loss === null ? NONE : money(entry.loss, currency)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}
