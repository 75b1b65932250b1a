/** The differences from the user's previous report, or from that of a chosen night. */

import { useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Run } from "../api/runs-types";
import type { Report } from "../api/types";
import { date, time } from "../format";
import { links, replace } from "../router";
import { Icon } from "../ui/icons";
import { Card, Empty, Failure, Skeleton } from "../ui/parts";
import { once, useResource } from "../ui/resource";
import { type Change, changesBetween } from "../words/reports";
import { isCompleted, isNight } from "../words/runs";
import type { View } from "./portfolio-view";

const RUNS_OF_A_PAGE = 100;
const OLDER = "older";

export function Changes({ report, view }: { report: Report; view: View }) {
  const { compare } = view;
  const key = `earlier ${report.run_id} ${report.user_id} ${compare}`;
  const { value, error, reload } = useResource(key, () =>
    once(key, () => api.earlier(report.run_id, report.user_id, compare)),
  );
  return (
    <Card
      title={compare === null ? "Changes since last report" : "Changes since chosen report"}
      note={value?.report && <Compared earlier={value.report} from={view.from} />}
      action={<Nights runId={report.run_id} view={view} />}
    >
      {!value && error === null && <Skeleton height={180} />}
      {error !== null && <Failure error={error} retry={reload} />}
      {value && !value.report && <NoReport isChosen={compare !== null} />}
      {value?.report && <ChangesTable changes={changesBetween(value.report, report)} />}
    </Card>
  );
}

function NoReport({ isChosen }: { isChosen: boolean }) {
  return isChosen ? (
    <Empty title="No report that night">Neither the run nor a retry of it has a report for this user.</Empty>
  ) : (
    <Empty title="No earlier report">None of the previous 20 runs has a report for this user.</Empty>
  );
}

/** The choice of an earlier night, of those among a hundred runs of everybody first. */
function Nights({ runId, view }: { runId: string; view: View }) {
  const [pages, setPages] = useState(1);
  const { value } = useResource(`nights before ${runId} ${pages}`, () => nightsBefore(runId, pages));
  const known = useRef(value);
  known.current = value ?? known.current; // those of fewer pages stay to choose from while more load
  const runs = known.current?.runs ?? [];
  const choose = (field: HTMLSelectElement) => {
    if (field.value === OLDER) {
      field.value = view.compare ?? ""; // as before, with more to choose from
      setPages(pages + 1);
    } else {
      replace(view.link({ compare: field.value || null }));
    }
  };
  return (
    <label class="field">
      <span>Compare with</span>
      <select value={view.compare ?? ""} onChange={(event) => choose(event.currentTarget)}>
        <option value="">The last report</option>
        {view.compare !== null && !runs.some(({ run_id }) => run_id === view.compare) && (
          <option value={view.compare}>{view.compare}</option>
        )}
        {runs.map((run) => (
          <option key={run.run_id} value={run.run_id}>
            {date(run.as_of)} (run of {time(run.requested_at)})
          </option>
        ))}
        {known.current?.hasOlder && <option value={OLDER}>Older nights …</option>}
      </select>
    </label>
  );
}

/** Return the run whose failed users a run retries, over chains of retries; another run itself. */
async function firstOf(runId: string): Promise<string> {
  const retried = await once(`retried by ${runId}`, async () => (await api.run(runId)).retry_of);
  return retried === null ? runId : firstOf(retried);
}

/** Return the nights before that of a run, from the newest pages of the runs of everybody. */
async function nightsBefore(runId: string, pages: number): Promise<{ runs: Run[]; hasOlder: boolean }> {
  const first = await firstOf(runId);
  const all: Run[] = [];
  let next: string | null = null;
  let left = pages;
  do {
    const page = await api.runs(RUNS_OF_A_PAGE, { before: next, users: "all" });
    all.push(...page.runs);
    next = page.next;
    left -= 1;
  } while (next !== null && left > 0);
  // The IDs of runs begin with their times.
  return { runs: all.filter((run) => isNight(run) && isCompleted(run) && run.run_id < first), hasOlder: next !== null };
}

function Compared({ earlier, from }: { earlier: Report; from: string | null }) {
  return (
    <>
      Compared with{" "}
      <a href={links.portfolio(earlier.run_id, earlier.user_id, { from })}>the report as of {date(earlier.as_of)}</a>
    </>
  );
}

function ChangesTable({ changes }: { changes: Change[] }) {
  if (!changes.length) {
    return <Empty title="No changes">The main figures, the holdings and the checks are the same.</Empty>;
  }
  return (
    <table class="table compact changes">
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
