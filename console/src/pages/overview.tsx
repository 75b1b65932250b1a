/** The overview: the newest night, the last run, the next run, health and history. */

import { api } from "../api/client";
import type { DependencyState, Health, Run, Timetable } from "../api/runs-types";
import { RunHistory } from "../charts/history";
import { clockTime, clockTimeInUtc, count, duration, fromNow, longDay } from "../format";
import { links } from "../router";
import { Icon, type IconName } from "../ui/icons";
import { Trouble } from "../ui/list";
import { Badge, Card, Empty, Fact, PageHead, Skeleton, type Tone } from "../ui/parts";
import { useResource } from "../ui/resource";
import { durationOf, isActive, isNight, type LatestRuns, sourceOf, usersToAnalyze, verdictOn } from "../words/runs";
import { NightCard, NightPeople, useBook } from "./overview-night";
import { RunsTable } from "./runs";

const HISTORY = 30;
const RECENT = 5;
const ACTIVE_MS = 3_000;
const IDLE_MS = 60_000;

async function load(): Promise<LatestRuns> {
  const [latest, everybody] = await Promise.all([api.runs(HISTORY), api.runs(HISTORY, { users: "all" })]);
  return { runs: latest.runs, nights: everybody.runs.filter(isNight) };
}

export function Overview() {
  const runs = useResource("overview runs", load, ({ runs: [last] }) => (last && isActive(last) ? ACTIVE_MS : IDLE_MS));
  const schedule = useResource("schedule", api.schedule, () => IDLE_MS);
  const health = useResource("health", api.health, () => IDLE_MS);
  const known = runs.value?.runs;
  const nights = runs.value?.nights;
  const book = useBook(known);
  return (
    <>
      <PageHead
        title="Overview"
        about={longDay(new Date().toISOString())}
        actions={
          <a class="button primary" href={links.start()}>
            <Icon name="play" size={16} /> Start a run
          </a>
        }
      />
      <Trouble resource={runs} />
      <div class="overview">
        <NightCard runs={known} nights={nights} book={book} />
        {runs.value ? <Standing latest={runs.value} timetable={schedule.value} /> : <Skeleton height={224} />}
        <NextRun timetable={schedule.value} error={schedule.error} />
        <HealthCard health={health.value} error={health.error} />
        <NightPeople runs={known} book={book} />
        <Card title="History" class="wide" note="Latest runs, newest on the right">
          {known ? <RunHistory runs={known} /> : <Skeleton height={196} />}
        </Card>
        <Card title="Recent runs" class="wide" action={<a href={links.runs()}>All runs</a>}>
          {known ? <Recent runs={known.slice(0, RECENT)} /> : <Skeleton height={240} />}
        </Card>
      </div>
    </>
  );
}

function Recent({ runs }: { runs: Run[] }) {
  return runs.length ? <RunsTable runs={runs} /> : <Empty title="No runs yet">Runs will appear here.</Empty>;
}

const VERDICT_ICONS: Record<Tone, IconName> = {
  ok: "check",
  warning: "warning",
  bad: "error",
  info: "running",
  neutral: "clock",
};

/** How the active run stands, or the last night; other runs are in the list below. */
function Standing({ latest, timetable }: { latest: LatestRuns; timetable: Timetable | null }) {
  const verdict = verdictOn(latest, timetable);
  const last = latest.runs.find(isActive) ?? latest.nights[0];
  return (
    <section class={`card standing ${verdict.tone}`} aria-label="Status">
      <div class="standing-words">
        <span class="standing-icon">
          <Icon name={VERDICT_ICONS[verdict.tone]} size={26} />
        </span>
        <div>
          <h2>{verdict.title}</h2>
          <p>{verdict.text}</p>
        </div>
      </div>
      {last && (
        <>
          <dl class="facts">
            <Fact label="Duration">{duration(durationOf(last))}</Fact>
            <Fact label="Users">{usersToAnalyze(last)}</Fact>
            <Fact label="Failed">{count(last.users_failed)}</Fact>
            <Fact label="Started by">{sourceOf(last)}</Fact>
          </dl>
          <p class="standing-links">
            <a href={links.run(last.run_id)}>{isActive(last) ? "Watch run" : "View run"}</a>
            {!isActive(last) && <a href={links.portfolios(last.run_id)}>View portfolios</a>}
          </p>
        </>
      )}
    </section>
  );
}

function NextRun({ timetable, error }: { timetable: Timetable | null; error: unknown }) {
  return (
    <Card title="Next run" class="small">
      {timetable ? (
        <div class="next-run">
          {timetable.next === null || timetable.disabled ? (
            <>
              <p class="big-figure">Disabled</p>
              <p>The nightly timer is off. Its schedule is {timetable.schedule}.</p>
            </>
          ) : (
            <>
              <p class="big-figure">{fromNow(timetable.next)}</p>
              <p>
                {longDay(timetable.next)}, {clockTime(timetable.next)} local time
                <br />
                <span class="note">{clockTimeInUtc(timetable.next)}</span>
              </p>
            </>
          )}
        </div>
      ) : error === null ? (
        <Skeleton height={92} />
      ) : (
        <p>The schedule is not available.</p>
      )}
    </Card>
  );
}

const DEPENDENCIES: [keyof Health["checks"], string][] = [
  ["mongodb", "Database"],
  ["redis", "Cache"],
  ["key_vault", "Key vault"],
  ["engine", "Engine"],
];
const STATES: Record<DependencyState, [Tone, string]> = {
  ok: ["ok", "Connected"],
  unavailable: ["bad", "Unavailable"],
  not_configured: ["neutral", "Not used"],
};

function HealthCard({ health, error }: { health: Health | null; error: unknown }) {
  return (
    <Card title="Health" class="small">
      {health ? (
        <dl class="states">
          {DEPENDENCIES.map(([name, label]) => {
            const [tone, text] = STATES[health.checks[name]];
            return (
              <div key={name}>
                <dt>{label}</dt>
                <dd>
                  <Badge tone={tone}>{text}</Badge>
                </dd>
              </div>
            );
          })}
        </dl>
      ) : error === null ? (
        <Skeleton height={92} />
      ) : (
        <p>The app is not responding.</p>
      )}
    </Card>
  );
}
