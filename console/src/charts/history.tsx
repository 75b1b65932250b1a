/** The latest runs as bars with duration, status and failed users. Each bar links to its run. */

import type { Run } from "../api/runs-types";
import { counted, duration, time } from "../format";
import { links } from "../router";
import { Empty } from "../ui/parts";
import { durationOf, STATUS } from "../words/runs";

const LOWEST_PERCENT = 3;

export function RunHistory({ runs }: { runs: Run[] }) {
  if (!runs.length) {
    return <Empty title="No runs yet" />;
  }
  const ordered = [...runs].reverse();
  const longest = Math.max(...ordered.map((run) => durationOf(run) ?? 0), 0.001);
  const most = Math.max(...ordered.map((run) => run.users_failed));
  return (
    <div class="history">
      <div class="history-scale" aria-hidden="true">
        <span>{duration(longest)}</span>
        <span>0</span>
      </div>
      <ol class="history-bars">
        {ordered.map((run) => (
          <li key={run.run_id}>
            <a
              href={links.run(run.run_id)}
              class={STATUS[run.status].tone}
              aria-label={describe(run)}
              title={describe(run)}
            >
              <span
                class="history-bar"
                style={{ height: `${Math.max(LOWEST_PERCENT, (100 * (durationOf(run) ?? 0)) / longest)}%` }}
              />
              <span class="history-failed">
                <span style={{ height: `${run.users_failed ? Math.max(15, (100 * run.users_failed) / most) : 0}%` }} />
              </span>
            </a>
          </li>
        ))}
      </ol>
      <ul class="legend">
        {(["ok", "warning", "bad", "neutral"] as const).map((tone) => (
          <li key={tone}>
            <span class={`swatch ${tone}`} />
            {Object.values(STATUS).find((state) => state.tone === tone)?.label}
          </li>
        ))}
        <li>
          <span class="swatch failed" />
          Failed users, below the bar{most > 0 ? ` (up to ${most})` : ""}
        </li>
      </ul>
    </div>
  );
}

function describe(run: Run): string {
  const failed = run.users_failed ? `, ${counted(run.users_failed, "user")} failed` : "";
  return `${time(run.requested_at)}: ${STATUS[run.status].label}, ${duration(durationOf(run))}${failed}`;
}
