/** The value of the last nights, where no transactions say what was really earned. */

import type { PeoplePage } from "../api/people-types";
import type { Report } from "../api/types";
import { AROUND_CHART, Lines } from "../charts/lines";
import { counted, date, money, shortAmount } from "../format";
import { Card, Empty, Failure, Skeleton } from "../ui/parts";
import type { Resource } from "../ui/resource";

const TITLE = "Value of the last nights";
const HEIGHT = 220;

interface Values {
  dates: string[];
  values: number[];
}

export function Nights({ report, person }: { report: Report; person: Resource<PeoplePage> }) {
  const { error, reload } = person;
  const value = person.value && valuesOf(report, person.value);
  return (
    <Card
      title={TITLE}
      note="Holdings and cash, as they were each night. Money paid in or out moves it, too, so it is no return; what had no price is not in it."
    >
      {!value && error === null && <Skeleton height={HEIGHT + AROUND_CHART} />}
      {!value && error !== null && <Failure error={error} retry={reload} />}
      {value && value.dates.length < 2 && (
        <Empty title="Nothing to draw yet">A line needs the reports of two nights.</Empty>
      )}
      {value && value.dates.length >= 2 && <Course shown={value} currency={report.currency} />}
    </Card>
  );
}

function Course({ shown, currency }: { shown: Values; currency: string }) {
  const { dates, values } = shown;
  const [first, last] = [dates[0] ?? null, dates.at(-1) ?? null];
  return (
    <Lines
      title={TITLE}
      summary={`Value in ${counted(dates.length, "night")} from ${date(first)} to ${date(last)}: ${money(values.at(-1), currency)} in the end. Use the arrow keys to read values.`}
      dates={dates}
      lines={[{ label: "Total value", values, color: "line-portfolio", fill: true }]}
      format={(value) => money(value, currency)}
      axis={shortAmount}
      height={HEIGHT}
    />
  );
}

/** Return the kept values up to the night of a report; none if the currency has changed since. */
function valuesOf({ as_of, currency }: Report, { portfolios: [person] }: PeoplePage): Values {
  const known = person?.currency === currency ? person.values.filter(([night]) => night <= as_of) : [];
  return { dates: known.map(([night]) => night), values: known.map(([, value]) => value) };
}
