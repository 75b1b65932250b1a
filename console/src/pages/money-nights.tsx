/** The value of the last nights, where no transactions say what was really earned. */

import { api } from "../api/client";
import type { Report } from "../api/types";
import { AROUND_CHART, Lines } from "../charts/lines";
import { counted, date, money, shortAmount } from "../format";
import { Card, Empty, Failure, Skeleton } from "../ui/parts";
import { useResource } from "../ui/resource";

const TITLE = "Value of the last nights";
const HEIGHT = 220;
const MOST_FOUND = 100;

interface Values {
  dates: string[];
  values: number[];
}

export function Nights({ report }: { report: Report }) {
  const { value, error, reload } = useResource(`nights ${report.run_id} ${report.user_id}`, () => valuesOf(report));
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
async function valuesOf({ user_id, as_of, currency }: Report): Promise<Values> {
  const { portfolios } = await api.people({ q: user_id, limit: MOST_FOUND });
  const person = portfolios.find((found) => found.user_id === user_id);
  const known = person?.currency === currency ? person.values.filter(([night]) => night <= as_of) : [];
  return { dates: known.map(([night]) => night), values: known.map(([, value]) => value) };
}
