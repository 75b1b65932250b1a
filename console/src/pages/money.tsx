/** What a person really earned, by the transactions: the section "Your money" of a portfolio's page. */

import { api } from "../api/client";
import type { PeoplePage } from "../api/people-types";
import type { LedgerIssue, Report, ReturnPeriod, Returns, ReturnsSeries } from "../api/types";
import { AROUND_CHART, type Line, Lines } from "../charts/lines";
import { counted, date, money, percent, shortAmount } from "../format";
import { LedgerIssues } from "../ui/ledger-issues";
import { Card, Empty, Failure, Notice, Skeleton } from "../ui/parts";
import { once, type Resource, useResource } from "../ui/resource";
import { type Absence, absenceOf, BASIS, mainFigures } from "../words/money";
import { Nights } from "./money-nights";
import { Contributions, PeriodsCard } from "./money-periods";
import type { View } from "./portfolio-view";

const CHART_HEIGHT = 260;

interface MoneyProps {
  report: Report;
  view: View;
  person: Resource<PeoplePage> | undefined;
}

export function Money({ report, view, person }: MoneyProps) {
  const { returns } = report;
  const absent = absenceOf(report, "returns");
  return (
    <>
      {absent && <Absent absence={absent} view={view} />}
      {returns && <Earned report={report} returns={returns} />}
      {person && !returns?.since && <Nights report={report} person={person} />}
      {returns && <Issues issues={returns.issues} />}
    </>
  );
}

/** Return whether there is income, or a reason of its own why there is none. */
export const hasIncome = ({ income, returns, reasons }: Report): boolean =>
  Boolean(income || returns) || (reasons?.income ?? null) !== (reasons?.returns ?? null);

export const hasLedger = ({ returns, reasons }: Report): boolean =>
  Boolean(returns) || (returns === null && reasons?.returns !== "no_transactions");

function Absent({ absence, view }: { absence: Absence; view: View }) {
  return (
    <Card title="What was really earned">
      <Notice tone="neutral" title={absence.title}>
        {absence.todo}
      </Notice>
      <p class="note below">
        The <a href={view.link({ section: "summary" })}>analysis</a> is of today's holdings and needs no transactions.
        Its backtest is hypothetical.
      </p>
    </Card>
  );
}

function Earned({ report, returns }: { report: Report; returns: Returns }) {
  const since = returns.periods.find(({ period }) => period === "since");
  if (returns.since === null || !since) {
    return (
      <Card title="What was really earned">
        <Notice tone="warning" title="The transactions do not lead to today's holdings, so nothing can be calculated.">
          The list of issues below says which transactions to correct. The next run reads them again.
        </Notice>
        <Notes notes={returns.notes} />
      </Card>
    );
  }
  return (
    <>
      <Course report={report} returns={returns} since={since} day={returns.since} />
      <PeriodsCard report={report} returns={returns} />
      <Contributions report={report} returns={returns} />
    </>
  );
}

interface CourseProps {
  report: Report;
  returns: Returns;
  since: ReturnPeriod;
  day: string;
}

function Course(props: CourseProps) {
  const { report, since } = props;
  const key = `returns ${report.run_id} ${report.user_id}`;
  const series = useResource(key, () =>
    once(key, async () => columnsOf(await api.returns(report.run_id, report.user_id))),
  );
  return (
    <>
      <MainFigures {...props} />
      <div class="columns">
        <ValueChart currency={report.currency} since={since} series={series} />
        <IndexChart since={since} series={series} />
      </div>
    </>
  );
}

function MainFigures({ report, returns, since, day }: CourseProps) {
  return (
    <Card title="What was really earned" note={`Since ${date(day)}, by the transactions. ${BASIS[returns.basis]}`}>
      <dl class="risks in-columns">
        {mainFigures(returns, since, report.currency).map(({ label, value, meaning }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <strong>{value}</strong>
              <span>{meaning}</span>
            </dd>
          </div>
        ))}
      </dl>
      <Notes notes={returns.notes} />
      {returns.issues.length > 0 && (
        <p class="note below">
          {counted(returns.issues.length, "issue")} of the transactions, at the end of this section.
        </p>
      )}
    </Card>
  );
}

function Notes({ notes }: { notes: string[] }) {
  return (
    notes.length > 0 && (
      <ul class="plain-list">
        {notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    )
  );
}

interface Columns {
  dates: string[];
  value: (number | null)[];
  invested: (number | null)[];
  grown: (number | null)[];
  benchmark: (number | null)[];
}

function columnsOf({ series }: ReturnsSeries): Columns {
  return {
    dates: series.map((point) => point.date),
    value: series.map((point) => point.value),
    invested: series.map((point) => point.invested),
    grown: series.map((point) => point.twr_index),
    benchmark: series.map((point) => point.benchmark_index),
  };
}

interface ChartProps {
  title: string;
  note: string;
  series: Resource<Columns>;
  summary: string;
  linesOf: (columns: Columns) => Line[];
  isGrowth?: boolean;
  format: (value: number | null) => string;
  axis?: (value: number | null) => string;
}

function Chart({ title, note, series, summary, linesOf, ...shown }: ChartProps) {
  const { value, error, reload } = series;
  return (
    <Card title={title} note={note}>
      {!value && error === null && <Skeleton height={CHART_HEIGHT + AROUND_CHART} />}
      {!value && error !== null && <Failure error={error} retry={reload} />}
      {value && value.dates.length < 2 && (
        <Empty title="Nothing to draw yet">A line needs two weeks of transactions and prices.</Empty>
      )}
      {value && value.dates.length >= 2 && (
        <Lines
          title={title}
          summary={`${summary} Use the arrow keys to read values.`}
          dates={value.dates}
          lines={linesOf(value)}
          height={CHART_HEIGHT}
          {...shown}
        />
      )}
    </Card>
  );
}

function ValueChart({ currency, since, series }: { currency: string; since: ReturnPeriod; series: Resource<Columns> }) {
  return (
    <Chart
      title="Value and invested money"
      note="Each week. The distance between the lines is the gain."
      series={series}
      summary={`Value from ${date(since.start)} to ${date(since.end)}: ${money(since.end_value, currency)} in the end.`}
      linesOf={({ value, invested }) => [
        { label: "Invested", values: invested, color: "line-benchmark" },
        { label: "Value", values: value, color: "line-portfolio", fill: true },
      ]}
      format={(value) => money(value, currency)}
      axis={shortAmount}
    />
  );
}

function IndexChart({ since, series }: { since: ReturnPeriod; series: Resource<Columns> }) {
  return (
    <Chart
      title="Growth and benchmark"
      note="What invested money grew by, time-weighted: paying in or out moves neither line, so they can be compared."
      series={series}
      summary={`Time-weighted return from ${date(since.start)} to ${date(since.end)}: ${percent(since.twr)} in total.`}
      linesOf={({ grown, benchmark }) => [
        { label: "Benchmark", values: benchmark, color: "line-benchmark" },
        { label: "Portfolio", values: grown, color: "line-portfolio" },
      ]}
      isGrowth
      format={(value) => percent(value)}
    />
  );
}

function Issues({ issues }: { issues: LedgerIssue[] }) {
  return (
    issues.length > 0 && (
      <Card
        title="Issues of the transactions"
        note="What does not fit together, or is worth knowing. Some of it moves the start to a later day."
      >
        <LedgerIssues issues={issues} />
      </Card>
    )
  );
}
