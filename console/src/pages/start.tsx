/** The form that starts a run, for everybody or selected people. */

import { useState } from "preact/hooks";
import { api, type RunRequest } from "../api/client";
import { Problem } from "../api/problem";
import type { PriceDays } from "../api/runs-types";
import { counted, date } from "../format";
import { go, links } from "../router";
import { BusyButton } from "../ui/busy-button";
import { Confirm } from "../ui/dialog";
import { Failure, Notice, PageHead } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { isActive } from "../words/runs";
import { faultOf, idsOf, NOBODY, PeoplePicker, unknownOf } from "./start-people";

const ACTIVE_MS = 5_000;

export function Start() {
  const runs = useResource(
    "start runs",
    () => api.runs(1),
    (page) => (page.runs.some(isActive) ? ACTIVE_MS : null),
  );
  const [planned, setPlanned] = useState<RunRequest | null>(null);
  const active = runs.value?.runs.find(isActive);
  return (
    <>
      <PageHead
        title="Start a run"
        about="The nightly run starts automatically. Only one run can be active at a time."
      />
      {active && <Active runId={active.run_id} />}
      <StartForm onSubmit={setPlanned} />
      {planned && <ConfirmStart request={planned} onClose={() => setPlanned(null)} />}
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

function StartForm({ onSubmit }: { onSubmit: (request: RunRequest) => void }) {
  const read = useResource("price days", api.priceDays);
  const [asked, setAsked] = useState<PriceDays | null>(null);
  const days = read.value ?? asked;
  const [everybody, setEverybody] = useState(true);
  const [chosen, setChosen] = useState(NOBODY);
  const [dryRun, setDryRun] = useState(false);
  const [asOf, setAsOf] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [checking, setChecking] = useState(false);
  const dayFault = days && dayFaultOf(asOf, days);
  const request: RunRequest = {
    dry_run: dryRun,
    ...(everybody ? {} : { user_ids: idsOf(chosen) }),
    ...(asOf ? { as_of: asOf } : {}),
  };

  const check = async () => {
    const found = everybody ? null : (faultOf(chosen) ?? (await unknownOf(idsOf(chosen))));
    setFault(found);
    const known = days ?? (await api.priceDays());
    setAsked(known);
    if (found === null && dayFaultOf(asOf, known) === null) {
      onSubmit(request);
    }
  };

  const submit = async (event?: Event) => {
    event?.preventDefault();
    setChecking(true);
    setFailure(null);
    await check().catch(setFailure);
    setChecking(false);
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
            min={days?.first ?? undefined}
            max={days?.last ?? today()}
            aria-invalid={dayFault !== null}
            aria-describedby="as-of-hint"
            onInput={(event) => setAsOf(event.currentTarget.value)}
          />
          <small id="as-of-hint" class={dayFault ? "bad-text" : ""} role={dayFault ? "alert" : undefined}>
            {dayFault ?? "Leave empty for the last trading day."}
          </small>
        </label>
      </fieldset>
      {failure !== null && <Failure error={failure} retry={() => void submit()} />}
      <div class="form-actions">
        <p class="plan" role="status">
          {sentenceOf(request)}
        </p>
        <BusyButton type="submit" class="button primary" busy={checking}>
          Continue
        </BusyButton>
      </div>
    </form>
  );
}

/** Return why a run cannot be as of a day; null if it can. */
function dayFaultOf(asOf: string, { first, last }: PriceDays): string | null {
  if (asOf === "") {
    return null;
  }
  if (asOf > today()) {
    return "The date is in the future.";
  }
  if (last !== null && asOf > last) {
    return `Prices end on ${date(last)}. Leave empty for the last trading day.`;
  }
  return first !== null && asOf < first ? `Prices begin on ${date(first)}.` : null;
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

function ConfirmStart({ request, onClose }: { request: RunRequest; onClose: () => void }) {
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
