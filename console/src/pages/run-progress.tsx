/** The progress of a run by phase, with an estimate of the time left. */

import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Run } from "../api/runs-types";
import { count, duration } from "../format";
import { Icon } from "../ui/icons";
import { once } from "../ui/resource";
import { estimateOf, type PageTimes, PHASES } from "../words/runs";

export function RunProgress({ run }: { run: Run }) {
  const { phase, pages_done, pages_total } = run.progress;
  const current = PHASES.findIndex((known) => known.phase === phase);
  const canceling = run.cancel_requested_at !== null;
  return (
    <section class="card progress" aria-label="Progress">
      <ol class="phases">
        {PHASES.map(({ phase: name, label }, place) => (
          <li
            key={name}
            class={place < current ? "done" : place === current ? "current" : ""}
            aria-current={place === current ? "step" : undefined}
          >
            <span class="phase-mark">{place < current ? <Icon name="check" size={14} /> : place + 1}</span>
            {label}
          </li>
        ))}
      </ol>
      <progress aria-label="Pages of users completed" max={Math.max(1, pages_total)} value={pages_done} />
      <div class="progress-words">
        <p>
          {canceling
            ? "Canceling: the run stops at its next step."
            : `${PHASES[current]?.does ?? "Waiting to start"}${pages_total > 0 && phase === "analyze" ? `: ${count(pages_done)} of ${count(pages_total)} pages done` : " …"}`}
        </p>
        {!canceling && <Estimate run={run} />}
      </div>
    </section>
  );
}

function Estimate({ run }: { run: Run }) {
  const [earlier, setEarlier] = useState<Run | null>(null);
  const times = useRef<PageTimes>({ first: null, last: Date.now() });
  useEffect(() => {
    let wanted = true;
    once(`comparable ${run.run_id}`, () => comparableTo(run.run_id)).then(
      (found) => wanted && setEarlier(found),
      () => {}, // the estimate then uses the pace of this run only
    );
    return () => {
      wanted = false;
    };
  }, [run.run_id]);

  if (run.progress.phase === "analyze") {
    times.current.first ??= { pages: run.progress.pages_done, at: Date.now() };
  }
  times.current.last = Date.now();
  const estimate = estimateOf(run, earlier, times.current);
  return (
    <p class="note">
      {estimate ? `About ${duration(estimate.seconds)} left, ${estimate.basis}.` : "Estimating time left …"}
    </p>
  );
}

/** Return the last completed run with analyzed users, as a basis for the estimate. */
async function comparableTo(runId: string): Promise<Run | null> {
  const { runs } = await api.runs(20);
  return (
    runs.find((run) => run.run_id !== runId && run.status.startsWith("completed") && run.users_analyzed > 0) ?? null
  );
}
