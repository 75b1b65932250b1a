/** One run: its progress while it is active, its results afterward. */

import { useEffect, useState } from "preact/hooks";
import { api, isMissing } from "../api/client";
import { Problem } from "../api/problem";
import type { Run } from "../api/runs-types";
import { count, counted, date, duration, fromNow, time } from "../format";
import { go, links } from "../router";
import { Confirm } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { Badge, Card, Empty, Fact, Failure, Notice, PageHead, Skeleton, Time } from "../ui/parts";
import { AsOf, PriceIssues } from "../ui/price-issues";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { durationOf, isActive, PHASES, sourceOf, stateOf, titleOf, usersToAnalyze } from "../words/runs";
import { RunErrors } from "./run-errors";
import { RunProgress } from "./run-progress";

const SOONEST_MS = 1_000;
const LATEST_MS = 10_000;
const TRAIL: [string, string][] = [["Runs", links.runs()]];

/** Return the polling interval, a twentieth of the run's age; null once the run has ended. */
export function pollEvery(run: Run, now = Date.now()): number | null {
  const age = now - Date.parse(run.requested_at);
  return isActive(run) ? Math.min(LATEST_MS, Math.max(SOONEST_MS, age / 20)) : null;
}

export function RunPage({ runId }: { runId: string }) {
  const { value: run, error, reload } = useResource(`run ${runId}`, () => api.run(runId), pollEvery);
  if (!run) {
    return (
      <>
        <PageHead title="Run" trail={TRAIL} />
        {error === null && <Skeleton height={420} />}
        {error !== null && isMissing(error) && <Empty title="Run not found">{runId}</Empty>}
        {error !== null && !isMissing(error) && <Failure error={error} retry={reload} />}
      </>
    );
  }
  return (
    <>
      <PageHead
        title={titleOf(run)}
        trail={TRAIL}
        about={<About run={run} />}
        actions={<Actions run={run} reload={reload} />}
      />
      {error instanceof Problem && <Failure error={error} retry={reload} />}
      <Announcement run={run} />
      {run.dry_run && (
        <Notice tone="neutral" title="Dry run">
          Only counts, errors and prices are kept.
        </Notice>
      )}
      {isActive(run) && <RunProgress run={run} />}
      <Outcome run={run} />
      <RunErrors run={run} />
      <div class="columns">
        <MarketData run={run} />
        <Durations run={run} />
      </div>
    </>
  );
}

function About({ run }: { run: Run }) {
  const state = stateOf(run);
  return (
    <>
      <Badge tone={state.tone}>{state.label}</Badge>
      <span>
        {sourceOf(run)}, {fromNow(run.requested_at)}
      </span>
      {run.users === "some" && <span>Of selected people</span>}
      {run.retry_of && (
        <span>
          Retry of <a href={links.run(run.retry_of)}>an earlier run</a>
        </span>
      )}
      <code>{run.run_id}</code>
    </>
  );
}

/** Announces each phase and the end of the run to screen readers. */
function Announcement({ run }: { run: Run }) {
  const phase = PHASES.find((known) => known.phase === run.progress.phase);
  return (
    <p class="hidden" role="status">
      {isActive(run) ? `Phase: ${phase?.label ?? "queued"}` : `Run ended: ${stateOf(run).label}`}
    </p>
  );
}

function Actions({ run, reload }: { run: Run; reload: () => void }) {
  const [asking, setAsking] = useState<"cancel" | "retry" | null>(null);
  const close = () => setAsking(null);
  const canRetry = !isActive(run) && !run.dry_run && run.users_failed > 0;
  const canCancel = isActive(run) && !run.cancel_requested_at;
  return (
    <>
      {canCancel && (
        <button type="button" class="button" onClick={() => setAsking("cancel")}>
          Cancel run
        </button>
      )}
      {canRetry && (
        <button type="button" class="button" onClick={() => setAsking("retry")}>
          Retry failed users
        </button>
      )}
      {!run.dry_run && run.users_analyzed + run.users_failed + run.users_skipped > 0 && (
        <a class="button primary" href={links.portfolios(run.run_id)}>
          Portfolios <Icon name="next" size={16} />
        </a>
      )}
      {asking === "cancel" && <ConfirmCancel run={run} reload={reload} onClose={close} />}
      {asking === "retry" && <ConfirmRetry run={run} onClose={close} />}
    </>
  );
}

function ConfirmCancel({ run, reload, onClose }: { run: Run; reload: () => void; onClose: () => void }) {
  const cancel = async () => {
    await api.cancel(run.run_id);
    toast("Cancellation requested");
    reload();
  };
  return (
    <Confirm
      title="Cancel this run?"
      confirm="Cancel run"
      dismiss="Keep running"
      danger
      onConfirm={cancel}
      onClose={onClose}
    >
      <p>
        The run stops at its next step. Reports stored by then are kept; the other users get no report from this run.
      </p>
    </Confirm>
  );
}

function ConfirmRetry({ run, onClose }: { run: Run; onClose: () => void }) {
  const [active, setActive] = useState<string | null>(null);
  const retry = async () => {
    try {
      const { run_id } = await api.retry(run.run_id);
      toast("Retry started");
      go(links.run(run_id));
    } catch (error) {
      setActive(error instanceof Problem && error.status === 409 && error.runId !== run.run_id ? error.runId : null);
      throw error;
    }
  };
  return (
    <Confirm title="Retry failed users?" confirm="Retry" onConfirm={retry} onClose={onClose}>
      <p>
        This starts a new run for {counted(run.users_failed, "failed user")}, as of {date(run.as_of)}. Fix their
        documents first, or they will fail again.
      </p>
      {active && (
        <p>
          <a href={links.run(active)} onClick={onClose}>
            Watch the active run
          </a>
        </p>
      )}
    </Confirm>
  );
}

function Outcome({ run }: { run: Run }) {
  const failed = run.dry_run || run.users_failed === 0;
  return (
    <dl class="card figures">
      <Fact label="Users to analyze">{usersToAnalyze(run)}</Fact>
      <Fact label="Analyzed">{count(run.users_analyzed)}</Fact>
      <Fact label="Skipped">{count(run.users_skipped)}</Fact>
      <Fact label="Failed">
        {failed ? (
          count(run.users_failed)
        ) : (
          <a class="bad-text" href={links.portfolios(run.run_id, { status: "failed" })}>
            {count(run.users_failed)}
          </a>
        )}
      </Fact>
      <Fact label="As of">
        <AsOf day={run.as_of} issues={run.price_issues} />
      </Fact>
      <Fact label="Duration">{isActive(run) ? <Elapsed run={run} /> : duration(durationOf(run))}</Fact>
    </dl>
  );
}

function Elapsed({ run }: { run: Run }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return <>{duration(Math.max(0, Math.round((now - Date.parse(run.started_at ?? run.requested_at)) / 1000)))}</>;
}

function MarketData({ run }: { run: Run }) {
  const withoutPrices = run.errors.filter((error) => error.user_id === null && /prices$/.test(error.error_type));
  const known = run.symbols > 0 && (!isActive(run) || run.progress.phase === "analyze");
  return (
    <Card title="Market data">
      {known ? (
        <>
          <p class="big-figure">{counted(run.symbols, "symbol")}</p>
          <p>
            {run.symbols_failed === 0
              ? "All that are held have usable prices."
              : `${counted(run.symbols_failed, "held symbol has", "held symbols have")} no usable prices; portfolios that hold ${run.symbols_failed === 1 ? "it" : "them"} are incomplete.`}
          </p>
          {withoutPrices.length > 0 && (
            <ul class="plain-list">
              {withoutPrices.map((error) => (
                <li key={error.error}>{error.error}</li>
              ))}
            </ul>
          )}
          <PriceIssues issues={run.price_issues} all={run.price_issues_count} />
        </>
      ) : (
        <p class="note">{run.symbols === 0 ? "No symbols planned" : "Fetching prices …"}</p>
      )}
    </Card>
  );
}

function Durations({ run }: { run: Run }) {
  const { metrics } = run;
  const phases: [string, number | null][] = [
    ["Plan", metrics.plan_duration_seconds],
    ["Portfolios", metrics.portfolios_duration_seconds],
    ["Market data", metrics.market_data_duration_seconds],
    ["Research", metrics.research_duration_seconds],
    ["Analysis", metrics.analyze_duration_seconds],
  ];
  const longest = Math.max(...phases.map(([, seconds]) => seconds ?? 0), 0.001);
  return (
    <Card title="Duration by phase">
      {isActive(run) ? (
        <p class="note">Available when the run has ended.</p>
      ) : (
        <table class="bars">
          <tbody>
            {phases.map(([label, seconds]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td class="bar-cell" aria-hidden="true">
                  <span class="bar" style={{ width: `${(100 * (seconds ?? 0)) / longest}%` }} />
                </td>
                <td class="number">{duration(seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="note">
        {run.started_at ? (
          <>
            Started <Time iso={run.started_at} />
          </>
        ) : (
          "Not started"
        )}
        {run.completed_at ? `, ended ${time(run.completed_at)}` : ""}
        {metrics.avg_duration_per_user_seconds !== null
          ? `; ${duration(metrics.avg_duration_per_user_seconds)} per user`
          : ""}
      </p>
    </Card>
  );
}
