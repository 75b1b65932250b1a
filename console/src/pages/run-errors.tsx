/** The errors of a run, grouped by type, with advice. */

import type { Run, RunError } from "../api/runs-types";
import { count, counted } from "../format";
import { links } from "../router";
import { Badge, Card, Empty } from "../ui/parts";
import { type Group, grouped, isPriceError } from "../words/errors";
import { isActive } from "../words/runs";

const SHOWN = 8;

export function RunErrors({ run }: { run: Run }) {
  const groups = grouped(run.errors);
  const more = run.errors_count - run.errors.length;
  if (!groups.length) {
    return isActive(run) ? null : (
      <Card title="Errors">
        <Empty title="No errors" />
      </Card>
    );
  }
  return (
    <Card
      title="Errors"
      note={more > 0 ? `First ${count(run.errors.length)} of ${count(run.errors_count)}` : undefined}
      action={
        run.users_failed > 0 && !run.dry_run ? (
          <a href={links.portfolios(run.run_id, { status: "failed" })}>View failed users</a>
        ) : undefined
      }
    >
      <ul class="groups">
        {groups.map((group) => (
          <ErrorGroup key={group.type} group={group} run={run} />
        ))}
      </ul>
    </Card>
  );
}

function ErrorGroup({ group, run }: { group: Group; run: Run }) {
  const first = group.errors[0];
  const tone = first && isPriceError(first) ? "warning" : "bad";
  return (
    <li class="group">
      <div class="group-head">
        <h3>{group.title}</h3>
        <Badge tone={tone}>{counted(group.errors.length, "case")}</Badge>
      </div>
      <p>{group.advice}</p>
      <ul class="members">
        {group.errors.slice(0, SHOWN).map((error) => (
          <Member key={`${error.user_id} ${error.error}`} error={error} run={run} />
        ))}
      </ul>
      {group.errors.length > SHOWN && (
        <details>
          <summary>{count(group.errors.length - SHOWN)} more</summary>
          <ul class="members">
            {group.errors.slice(SHOWN).map((error) => (
              <Member key={`${error.user_id} ${error.error}`} error={error} run={run} />
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

/** Users that were not planned and users of a dry run have no report to link to. */
function Member({ error, run }: { error: RunError; run: Run }) {
  const reported = !run.dry_run && error.error_type !== "unknown_user" && error.error_type !== "nothing_to_analyze";
  return (
    <li>
      {error.user_id &&
        (reported ? (
          <a href={links.portfolio(run.run_id, error.user_id)}>{error.user_id}</a>
        ) : (
          <strong>{error.user_id}</strong>
        ))}
      <span>{error.error}</span>
    </li>
  );
}
