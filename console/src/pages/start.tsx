/** The form that starts a run, for everybody or selected people. */

import { useState } from "preact/hooks";
import { api, type RunRequest } from "../api/client";
import { Problem } from "../api/problem";
import { count, counted, date } from "../format";
import { go, links } from "../router";
import { Confirm } from "../ui/dialog";
import { Notice, PageHead } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { isActive } from "../words/runs";
import { faultOf, idsOf, NOBODY, notFound, PeoplePicker } from "./start-people";

const LATEST_RUNS = 10;
const NAMED = 10;
const ACTIVE_MS = 5_000;

/** A run to confirm, and the IDs in it that nobody of the newest night has. */
interface Planned {
  request: RunRequest;
  missing: string[];
}

export function Start() {
  const runs = useResource(
    "start runs",
    () => api.runs(LATEST_RUNS),
    (page) => (page.runs.some(isActive) ? ACTIVE_MS : null),
  );
  const [planned, setPlanned] = useState<Planned | null>(null);
  const active = runs.value?.runs.find(isActive);
  const newest = runs.value?.runs.find((run) => run.as_of !== null && run.as_of_requested === null && !isActive(run));
  return (
    <>
      <PageHead
        title="Start a run"
        about="The nightly run starts automatically. Only one run can be active at a time."
      />
      {active && <Active runId={active.run_id} />}
      <StartForm lastDay={newest?.as_of ?? null} onSubmit={setPlanned} />
      {planned && <ConfirmStart {...planned} onClose={() => setPlanned(null)} />}
    </>
  );
}

function Active({ runId }: { runId: string }) {
  return (
    <Notice
      tone="info"
      title="A run is active"
      action={
        <a class="button" href={links.run(runId)}>
          Watch run
        </a>
      }
    >
      You can start another run when it has ended.
    </Notice>
  );
}

const today = (): string => new Date().toISOString().slice(0, 10);

function StartForm({ lastDay, onSubmit }: { lastDay: string | null; onSubmit: (planned: Planned) => void }) {
  const [everybody, setEverybody] = useState(true);
  const [chosen, setChosen] = useState(NOBODY);
  const [dryRun, setDryRun] = useState(false);
  const [asOf, setAsOf] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const [checking, setChecking] = useState(false);
  const isFuture = asOf > today();
  const request: RunRequest = {
    dry_run: dryRun,
    ...(everybody ? {} : { user_ids: idsOf(chosen) }),
    ...(asOf ? { as_of: asOf } : {}),
  };

  const submit = async (event: Event) => {
    event.preventDefault();
    const found = everybody ? null : faultOf(chosen);
    setFault(found);
    if (found || isFuture) {
      return;
    }
    setChecking(true);
    // A look-up that fails does not keep a run from being started.
    const missing = everybody ? [] : await notFound(chosen).catch(() => []);
    setChecking(false);
    onSubmit({ request, missing });
  };

  return (
    <form class="card form" onSubmit={submit} noValidate>
      <fieldset>
        <legend>People</legend>
        <label class="choice">
          <input type="radio" name="people" checked={everybody} onChange={() => setEverybody(true)} />
          <span>
            Everybody
            <small>All active people with at least one holding or watchlist item.</small>
          </span>
        </label>
        <label class="choice">
          <input type="radio" name="people" checked={!everybody} onChange={() => setEverybody(false)} />
          <span>
            Selected people
            <small>Only they get a report. Research covers the symbols they hold or watch.</small>
          </span>
        </label>
        {!everybody && <PeoplePicker chosen={chosen} fault={fault} onChange={setChosen} />}
      </fieldset>
      <fieldset>
        <legend>Options</legend>
        <label class="choice">
          <input type="checkbox" checked={dryRun} onChange={(event) => setDryRun(event.currentTarget.checked)} />
          <span>
            Dry run
            <small>Calculates everything, but keeps only counts, errors and prices.</small>
          </span>
        </label>
        <label class="field narrow">
          <span>As of</span>
          <input
            type="date"
            value={asOf}
            max={today()}
            aria-invalid={isFuture}
            aria-describedby="as-of-hint"
            onInput={(event) => setAsOf(event.currentTarget.value)}
          />
          <small id="as-of-hint" class={isFuture ? "bad-text" : ""} role={isFuture ? "alert" : undefined}>
            {isFuture ? "The date is in the future." : hintOf(asOf, lastDay)}
          </small>
        </label>
      </fieldset>
      <div class="form-actions">
        <p class="plan" role="status">
          {sentenceOf(request)}
        </p>
        <button type="submit" class="button primary" disabled={checking} aria-busy={checking}>
          Continue
        </button>
      </div>
    </form>
  );
}

/** `lastDay` is the newest day that the latest run had prices of. */
function hintOf(asOf: string, lastDay: string | null): string {
  return lastDay !== null && asOf > lastDay
    ? `The last run had prices until ${date(lastDay)}. The newest day with prices counts.`
    : "Leave empty for the last trading day.";
}

/** Return what a run will do. */
function sentenceOf({ user_ids, as_of, dry_run }: RunRequest): string {
  const who = user_ids ? counted(user_ids.length, "person", "people") : "everybody";
  const when = as_of ? date(as_of) : "the last trading day";
  const isNight = !user_ids && !as_of;
  const kept = dry_run
    ? "no reports are stored"
    : `${user_ids?.length === 1 ? "the report is" : "the reports are"} stored${isNight ? ", as the newest night" : ""}`;
  return `Analyzes ${who} as of ${when}; ${kept}.`;
}

function ConfirmStart({ request, missing, onClose }: Planned & { onClose: () => void }) {
  // One key per confirmation: a repeated request does not start a second run.
  const [key] = useState(() => crypto.randomUUID());
  const [active, setActive] = useState<string | null>(null);
  const start = async () => {
    try {
      const { run_id } = await api.start(request, key);
      toast("Run started");
      go(links.run(run_id));
    } catch (error) {
      setActive(error instanceof Problem && error.status === 409 ? error.runId : null);
      throw error;
    }
  };
  return (
    <Confirm
      title={request.dry_run ? "Start a dry run?" : "Start the run?"}
      confirm="Start"
      onConfirm={start}
      onClose={onClose}
    >
      <p>{sentenceOf(request)} No orders are sent to a broker.</p>
      {missing.length > 0 && (
        <Notice tone="warning" title={`${counted(missing.length, "ID")} not found`}>
          Nobody of the newest night has {missing.length === 1 ? "the ID" : "the IDs"}{" "}
          {missing.slice(0, NAMED).join(", ")}
          {missing.length > NAMED && ` and ${count(missing.length - NAMED)} more`}. Check the spelling. Someone new is
          analyzed nevertheless.
        </Notice>
      )}
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
