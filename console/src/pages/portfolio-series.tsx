/** The simulated history of the current portfolio, and the correlations of its holdings. */

import { api } from "../api/client";
import type { Performance, Report } from "../api/types";
import { HeatMap } from "../charts/heat-map";
import { AROUND_CHART, type Line, Lines } from "../charts/lines";
import { date, percent, ratio } from "../format";
import { Card, Failure, Skeleton } from "../ui/parts";
import { once, useResource } from "../ui/resource";
import { hypothetical } from "../words/reports";
import type { View } from "./portfolio-view";

const GROWTH_HEIGHT = 280;
const DRAWDOWN_HEIGHT = 180;

interface SeriesProps {
  report: Report;
  performance: Performance;
  view: View;
}

export function SeriesCards({ report, performance, view }: SeriesProps) {
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
  return (
    <>
      <Card
        title="Backtest: today's holdings in the past"
        note={<Note report={report} performance={performance} view={view} />}
      >
        {value ? (
          <Lines
            title="Backtest"
            summary={`Hypothetical growth from ${since} to ${date(performance.end)}: ${percent(performance.cumulative_return)} in total. Use the arrow keys to read values.`}
            dates={value.dates}
            lines={growth}
            isGrowth
            format={(grown) => percent(grown, 0)}
            height={GROWTH_HEIGHT}
          />
        ) : error === null ? (
          <Skeleton height={GROWTH_HEIGHT + AROUND_CHART} />
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
            <Skeleton height={DRAWDOWN_HEIGHT + AROUND_CHART} />
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

function Note({ report, performance, view }: SeriesProps) {
  return (
    <>
      {hypothetical(performance.start)}
      {report.returns && (
        <>
          . <a href={view.link({ section: "money" })}>See what was really earned</a>
        </>
      )}
    </>
  );
}
