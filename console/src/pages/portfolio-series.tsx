/** The simulated history of the current portfolio, and the correlations of its holdings. */

import { api } from "../api/client";
import type { Performance, Report } from "../api/types";
import { HeatMap } from "../charts/heat-map";
import { type Line, Lines } from "../charts/lines";
import { date, percent, ratio } from "../format";
import { links } from "../router";
import { Card, Failure, Skeleton } from "../ui/parts";
import { once, useResource } from "../ui/resource";
import { hypothetical } from "../words/reports";

const GROWTH_HEIGHT = 280;
const DRAWDOWN_HEIGHT = 180;

export function SeriesCards({ report, performance }: { report: Report; performance: Performance }) {
  const key = `series ${report.run_id} ${report.user_id}`;
  const { value, error, reload } = useResource(key, () => once(key, () => api.series(report.run_id, report.user_id)));
  const since = date(performance.start);
  const growth: Line[] = value
    ? [
        { label: "Benchmark", values: value.benchmark_growth, color: "line-benchmark" },
        { label: "Today's holdings", values: value.growth, color: "line-portfolio" },
      ]
    : [];
  const drawdowns: Line[] = value
    ? [
        { label: "Benchmark", values: value.benchmark_drawdown, color: "line-benchmark" },
        { label: "Today's holdings", values: value.drawdown, color: "line-portfolio", fill: true },
      ]
    : [];
  const gained = (factor: number | null) => percent(factor === null ? null : factor - 1, 0);
  return (
    <>
      <Card title="Backtest" note={<Note report={report} performance={performance} />}>
        {value ? (
          <Lines
            title="Backtest"
            summary={`Hypothetical growth from ${since} to ${date(performance.end)}: ${percent(performance.cumulative_return)} in total. Use the arrow keys to read values.`}
            dates={value.dates}
            lines={growth}
            format={gained}
            height={GROWTH_HEIGHT}
          />
        ) : error === null ? (
          <Skeleton height={GROWTH_HEIGHT + 66} />
        ) : (
          <Failure error={error} retry={reload} />
        )}
      </Card>
      {(value || error === null) && (
        <Card title="Backtest: drawdown" note="Largest decline from the highest value so far, in each week">
          {value ? (
            <Lines
              title="Drawdown in the backtest"
              summary={`Hypothetical drawdown, ${percent(report.risk?.max_drawdown)} at its deepest. Use the arrow keys to read values.`}
              dates={value.dates}
              lines={drawdowns}
              format={(depth) => percent(depth, 0)}
              height={DRAWDOWN_HEIGHT}
            />
          ) : (
            <Skeleton height={DRAWDOWN_HEIGHT + 66} />
          )}
        </Card>
      )}
      {value && value.correlations.symbols.length > 1 && (
        <Card
          title="Correlation of holdings"
          note={`Over the backtest. 1: move together, 0: independent, -1: move in opposite directions. Average: ${ratio(report.diversification?.average_correlation)}`}
        >
          <HeatMap symbols={value.correlations.symbols} values={value.correlations.values} />
        </Card>
      )}
    </>
  );
}

function Note({ report, performance }: { report: Report; performance: Performance }) {
  return (
    <>
      {hypothetical(performance.start)}
      {report.returns && (
        <>
          . <a href={links.money(report.run_id, report.user_id)}>See what was really earned</a>
        </>
      )}
    </>
  );
}
