/** The form that starts a run, for all or selected users. */

import { useState } from "preact/hooks";
import { api, type RunRequest } from "../api/client";
import { Problem } from "../api/problem";
import { counted, date } from "../format";
import { go, links } from "../router";
import { Confirm } from "../ui/dialog";
import { Notice, PageHead } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { isActive } from "../words/runs";

const MOST_USERS = 1000;
const USER_ID = /^(?![.$])[^\p{C}\p{Z}/\\%<>]{1,128}$/u;
const ACTIVE_MS = 5_000;

export function Start() {
  const runs = useResource(
    "start runs",
    () => api.runs(1),
    (page) => (page.runs.some(isActive) ? ACTIVE_MS : null),
  );
  const [request, setRequest] = useState<RunRequest | null>(null);
  const active = runs.value?.runs.find(isActive);
  return (
    <>
      <PageHead
        title="Start a run"
        about="The nightly run starts automatically. Only one run can be active at a time."
      />
      {active && <Active runId={active.run_id} />}
      <StartForm onSubmit={setRequest} />
      {request && <ConfirmStart request={request} onClose={() => setRequest(null)} />}
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

export function idsIn(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

function faultOf(allUsers: boolean, ids: string[]): string | null {
  if (allUsers) {
    return null;
  }
  if (ids.length === 0) {
    return "Enter at least one user ID.";
  }
  if (ids.length > MOST_USERS) {
    return `Enter at most ${counted(MOST_USERS, "user ID")}, or start a run for all active users.`;
  }
  const strange = ids.find((id) => !USER_ID.test(id));
  return strange ? `Invalid user ID: ${strange}` : null;
}

function StartForm({ onSubmit }: { onSubmit: (request: RunRequest) => void }) {
  const [allUsers, setAllUsers] = useState(true);
  const [text, setText] = useState("");
  const [dryRun, setDryRun] = useState(false);
  const [asOf, setAsOf] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const ids = idsIn(text);

  const submit = (event: Event) => {
    event.preventDefault();
    const found = faultOf(allUsers, ids);
    setFault(found);
    if (!found) {
      onSubmit({ dry_run: dryRun, ...(allUsers ? {} : { user_ids: ids }), ...(asOf ? { as_of: asOf } : {}) });
    }
  };

  return (
    <form class="card form" onSubmit={submit} noValidate>
      <fieldset>
        <legend>Users</legend>
        <label class="choice">
          <input type="radio" name="users" checked={allUsers} onChange={() => setAllUsers(true)} />
          <span>
            All active users
            <small>Users with at least one holding or watchlist item.</small>
          </span>
        </label>
        <label class="choice">
          <input type="radio" name="users" checked={!allUsers} onChange={() => setAllUsers(false)} />
          <span>
            Selected users
            <small>Only these users get a report. Research covers the symbols they hold or watch.</small>
          </span>
        </label>
        {!allUsers && (
          <label class="field">
            <span>User IDs, separated by spaces, commas or line breaks</span>
            <textarea
              rows={4}
              spellcheck={false}
              value={text}
              aria-invalid={fault !== null}
              aria-describedby="ids-hint"
              onInput={(event) => setText(event.currentTarget.value)}
            />
            <small id="ids-hint" class={fault ? "bad-text" : ""} role={fault ? "alert" : undefined}>
              {fault ?? `${counted(ids.length, "user")} selected`}
            </small>
          </label>
        )}
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
            max={new Date().toISOString().slice(0, 10)}
            onInput={(event) => setAsOf(event.currentTarget.value)}
          />
          <small>Leave empty for the last trading day.</small>
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
  const users = request.user_ids ? counted(request.user_ids.length, "selected user") : "all active users";
  return (
    <Confirm
      title={request.dry_run ? "Start a dry run?" : "Start the run?"}
      confirm="Start"
      onConfirm={start}
      onClose={onClose}
    >
      <p>
        The portfolios of <strong>{users}</strong> will be analyzed as of{" "}
        <strong>{request.as_of ? date(request.as_of) : "the last trading day"}</strong>.{" "}
        {request.dry_run ? "Only counts, errors and prices are kept." : "Their reports are stored with the run."} No
        orders are sent to a broker.
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
