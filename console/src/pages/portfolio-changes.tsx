/** The differences from the user's previous report. */

import { api } from "../api/client";
import type { Report } from "../api/types";
import { date } from "../format";
import { links } from "../router";
import { Icon } from "../ui/icons";
import { Card, Empty, Failure, Skeleton } from "../ui/parts";
import { once, useResource } from "../ui/resource";
import { type Change, changesBetween } from "../words/reports";

export function Changes({ report }: { report: Report }) {
  const key = `earlier ${report.run_id} ${report.user_id}`;
  const { value, error, reload } = useResource(key, () => once(key, () => api.earlier(report.run_id, report.user_id)));
  return (
    <Card title="Changes since last report" note={value?.report && <Compared earlier={value.report} />}>
      {!value && error === null && <Skeleton height={180} />}
      {error !== null && <Failure error={error} retry={reload} />}
      {value && !value.report && (
        <Empty title="No earlier report">None of the previous 20 runs has a report for this user.</Empty>
      )}
      {value?.report && <ChangesTable changes={changesBetween(value.report, report)} />}
    </Card>
  );
}

function Compared({ earlier }: { earlier: Report }) {
  return (
    <>
      Compared with{" "}
      <a href={links.portfolio(earlier.run_id, earlier.user_id)}>the report as of {date(earlier.as_of)}</a>
    </>
  );
}

function ChangesTable({ changes }: { changes: Change[] }) {
  if (!changes.length) {
    return <Empty title="No changes">The holdings and prices are the same.</Empty>;
  }
  return (
    <table class="table compact">
      <thead>
        <tr>
          <th scope="col">Item</th>
          <th scope="col" class="number">
            Before
          </th>
          <th scope="col" class="number">
            Now
          </th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ label, before, after, better }) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td class="number">{before}</td>
            <td class={`number ${better === null ? "" : better ? "ok-text" : "bad-text"}`}>
              {better !== null && (
                <>
                  <Icon name={better ? "check" : "warning"} size={13} />
                  <span class="hidden">{better ? "Better: " : "Worse: "}</span>
                </>
              )}
              {after}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
