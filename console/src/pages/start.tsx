/** Starts a run, for all users or some. */

import { useState } from "preact/hooks";
import { api, type Wish } from "../api/client";
import { Problem } from "../api/problem";
import { counted, date } from "../format";
import { go, links } from "../router";
import { Confirm } from "../ui/dialog";
import { Notice, PageHead } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { isActive } from "../words/runs";

const MOST_USERS = 1000;
const USER_ID = /^[\p{L}\p{N}_][\p{L}\p{N}_.@|:+=~-]{0,127}$/u;
const ACTIVE_MS = 5_000;

export function Start() {
  const runs = useResource(
    "start runs",
    () => api.runs(1),
    (page) => (page.runs.some(isActive) ? ACTIVE_MS : null),
  );
  const [wish, setWish] = useState<Wish | null>(null);
  const active = runs.value?.runs.find(isActive);
  return (
    <>
      <PageHead title="Start a run" about="The nightly run does this by itself. One run is active at a time." />
      {active && <Active runId={active.run_id} />}
      <WishForm onSubmit={setWish} />
      {wish && <ConfirmStart wish={wish} onClose={() => setWish(null)} />}
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
          Watch it
        </a>
      }
    >
      Another one can start when it is over.
    </Notice>
  );
}

export function idsIn(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

function faultOf(everybody: boolean, ids: string[]): string | null {
  if (everybody) {
    return null;
  }
  if (ids.length === 0) {
    return "Name at least one user.";
  }
  if (ids.length > MOST_USERS) {
    return `At most ${counted(MOST_USERS, "user")} can be named; start a run for all of them instead.`;
  }
  const strange = ids.find((id) => !USER_ID.test(id));
  return strange ? `No user can have the id ${strange}.` : null;
}

function WishForm({ onSubmit }: { onSubmit: (wish: Wish) => void }) {
  const [everybody, setEverybody] = useState(true);
  const [text, setText] = useState("");
  const [dryRun, setDryRun] = useState(false);
  const [asOf, setAsOf] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const ids = idsIn(text);

  const submit = (event: Event) => {
    event.preventDefault();
    const found = faultOf(everybody, ids);
    setFault(found);
    if (!found) {
      onSubmit({ dry_run: dryRun, ...(everybody ? {} : { user_ids: ids }), ...(asOf ? { as_of: asOf } : {}) });
    }
  };

  return (
    <form class="card form" onSubmit={submit} noValidate>
      <fieldset>
        <legend>Whose portfolios?</legend>
        <label class="choice">
          <input type="radio" name="who" checked={everybody} onChange={() => setEverybody(true)} />
          <span>
            All active users
            <small>Everybody with a holding or a watchlist.</small>
          </span>
        </label>
        <label class="choice">
          <input type="radio" name="who" checked={!everybody} onChange={() => setEverybody(false)} />
          <span>
            Chosen users
            <small>Their reports alone are made; research covers the symbols they hold or watch.</small>
          </span>
        </label>
        {!everybody && (
          <label class="field">
            <span>User ids, separated by spaces, commas or lines</span>
            <textarea
              rows={4}
              spellcheck={false}
              value={text}
              aria-invalid={fault !== null}
              aria-describedby="ids-hint"
              onInput={(event) => setText(event.currentTarget.value)}
            />
            <small id="ids-hint" class={fault ? "bad-text" : ""} role={fault ? "alert" : undefined}>
              {fault ?? `${counted(ids.length, "user")} named`}
            </small>
          </label>
        )}
      </fieldset>
      <fieldset>
        <legend>How?</legend>
        <label class="choice">
          <input type="checkbox" checked={dryRun} onChange={(event) => setDryRun(event.currentTarget.checked)} />
          <span>
            Dry run
            <small>Everything is computed, and nothing stored but the counts and errors.</small>
          </span>
        </label>
        <label class="field narrow">
          <span>As of</span>
          <input
            type="date"
            value={asOf}
            max={new Date().toISOString().slice(0, 10)}
            onInput={(event) => setAsOf(event.currentTarget.value)}
          />
          <small>Leave it empty for the last trading day.</small>
        </label>
      </fieldset>
      <div class="form-actions">
        <button type="submit" class="button primary">
          Continue
        </button>
      </div>
    </form>
  );
}

function ConfirmStart({ wish, onClose }: { wish: Wish; onClose: () => void }) {
  // One key for one decision: however often it is sent, it starts one run.
  const [key] = useState(() => crypto.randomUUID());
  const [active, setActive] = useState<string | null>(null);
  const start = async () => {
    try {
      const { run_id } = await api.start(wish, key);
      toast("The run has started.");
      go(links.run(run_id));
    } catch (error) {
      setActive(error instanceof Problem && error.status === 409 ? error.runId : null);
      throw error;
    }
  };
  const who = wish.user_ids ? counted(wish.user_ids.length, "chosen user") : "all active users";
  return (
    <Confirm
      title={wish.dry_run ? "Start a dry run?" : "Start the run?"}
      confirm="Start"
      onConfirm={start}
      onClose={onClose}
    >
      <p>
        The portfolios of <strong>{who}</strong> are analysed as of{" "}
        <strong>{wish.as_of ? date(wish.as_of) : "the last trading day"}</strong>.{" "}
        {wish.dry_run ? "Nothing is stored but the counts and errors." : "Their reports are stored with the run."}{" "}
        Nothing is sent to a broker.
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
