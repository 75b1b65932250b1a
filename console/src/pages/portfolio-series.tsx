/** How today's mix would have done, and how its holdings move together. */

import { api } from "../api/client";
import type { Performance, Report } from "../api/types";
import { HeatMap } from "../charts/heat-map";
import { type Line, Lines } from "../charts/lines";
import { date, percent, ratio } from "../format";
import { Card, Failure, Skeleton } from "../ui/parts";
import { once, useResource } from "../ui/resource";

const GROWTH_HEIGHT = 280;
const DRAWDOWN_HEIGHT = 180;

export function SeriesCards({ report, performance }: { report: Report; performance: Performance }) {
  const key = `series ${report.run_id} ${report.user_id}`;
  const { value, error, reload } = useResource(key, () => once(key, () => api.series(report.run_id, report.user_id)));
  const since = date(performance.start);
  const growth: Line[] = value
    ? [
        { label: "Benchmark", values: value.benchmark_growth, colour: "line-benchmark" },
        { label: "Portfolio", values: value.growth, colour: "line-portfolio" },
      ]
    : [];
  const drawdowns: Line[] = value
    ? [
        { label: "Benchmark", values: value.benchmark_drawdown, colour: "line-benchmark" },
        { label: "Portfolio", values: value.drawdown, colour: "line-portfolio", fill: true },
      ]
    : [];
  const gained = (factor: number | null) => percent(factor === null ? null : factor - 1, 0);
  return (
    <>
      <Card title="Growth of today's mix" note={`What it would have gained since ${since}, had it always been held so`}>
        {value ? (
          <Lines
            summary={`Growth from ${since} to ${date(performance.end)}: ${percent(performance.cumulative_return)} in all. Arrow keys move along it.`}
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
        <Card title="Drawdown" note="How far below its highest value it stood, at the worst of each week">
          {value ? (
            <Lines
              summary={`Drawdown, ${percent(report.risk?.max_drawdown)} at the deepest. Arrow keys move along it.`}
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
          title="Correlation of the holdings"
          note={`1 moves together, 0 independently, -1 against each other; ${ratio(report.diversification?.average_correlation)} on average`}
        >
          <HeatMap symbols={value.correlations.symbols} values={value.correlations.values} />
        </Card>
      )}
    </>
  );
}
