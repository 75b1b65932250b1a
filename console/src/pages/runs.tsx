/** All runs, newest first. */

import { api } from "../api/client";
import type { Run } from "../api/runs-types";
import { count, duration } from "../format";
import { links } from "../router";
import { Icon } from "../ui/icons";
import { List } from "../ui/list";
import { Badge, Empty, PageHead, Time } from "../ui/parts";
import { AsOf } from "../ui/price-issues";
import { useResource } from "../ui/resource";
import { durationOf, isActive, sourceOf, stateOf, usersToAnalyze } from "../words/runs";

const PAGE = 25;
const ACTIVE_MS = 3_000;

export function Runs({ before }: { before: string | null }) {
  const page = useResource(
    `runs ${before}`,
    () => api.runs(PAGE, { before }),
    ({ runs }) => (runs.some(isActive) ? ACTIVE_MS : null),
  );
  return (
    <>
      <PageHead
        title="Runs"
        actions={
          <a class="button primary" href={links.start()}>
            <Icon name="play" size={16} /> Start a run
          </a>
        }
      />
      <List label="Pages of runs" page={page} height={600} first={before && links.runs()} next={links.runs}>
        {({ runs }) => (
          <div class="card">
            {runs.length ? <RunsTable runs={runs} /> : <Empty title="No runs yet">Runs will appear here.</Empty>}
          </div>
        )}
      </List>
    </>
  );
}

export function RunsTable({ runs }: { runs: Run[] }) {
  return (
    <table class="table stacked">
      <thead>
        <tr>
          <th scope="col">Started</th>
          <th scope="col">Status</th>
          <th scope="col" class="optional">
            Started by
          </th>
          <th scope="col" class="number optional">
            As of
          </th>
          <th scope="col" class="number">
            Users
          </th>
          <th scope="col" class="number">
            Failed
          </th>
          <th scope="col" class="number optional">
            Duration
          </th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <RunRow key={run.run_id} run={run} />
        ))}
      </tbody>
    </table>
  );
}

function RunRow({ run }: { run: Run }) {
  const state = stateOf(run);
  return (
    <tr>
      <th scope="row">
        <a class="row-link" href={links.run(run.run_id)}>
          <Time iso={run.requested_at} />
        </a>
        {run.users === "some" && <span class="tag">Selected people</span>}
        {run.dry_run && <span class="tag">Dry run</span>}
      </th>
      <td>
        <Badge tone={state.tone}>{state.label}</Badge>
      </td>
      <td class="optional" data-label="Started by">
        {sourceOf(run)}
      </td>
      <td class="number optional" data-label="As of">
        <AsOf day={run.as_of} issues={run.price_issues} />
      </td>
      <td class="number" data-label="Users">
        {usersToAnalyze(run)}
      </td>
      <td class={`number ${run.users_failed ? "bad-text" : ""}`} data-label="Failed">
        {count(run.users_failed)}
      </td>
      <td class="number optional" data-label="Duration">
        {duration(durationOf(run))}
      </td>
    </tr>
  );
}
