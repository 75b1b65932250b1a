/** The newest night on the overview: its figures, the people that need attention first, and the checks. */

import { useEffect } from "preact/hooks";
import { api, isMissing } from "../api/client";
import type { Attention, Book, RuleOfBook } from "../api/people-types";
import type { Run } from "../api/runs-types";
import { count, counted, date, daysAgo, money, NONE, time, weekdaysSince } from "../format";
import { links, nameOf } from "../router";
import { Badge, Card, Empty, Fact, Failure, Notice, Skeleton } from "../ui/parts";
import { PersonLink } from "../ui/person";
import { type Resource, useResource } from "../ui/resource";
import { REASONS, ruleOf } from "../words/people";
import { isActive, lostOf, sourceOf } from "../words/runs";
import { NoNight } from "./people";

// As of the prices of a run.
const OLD_WEEKDAYS = 5;
const TITLE = "Newest night";
const FIGURES_HEIGHT = 78;
const PEOPLE_HEIGHT = 640;

/** The book of the newest night, loaded again when a run has ended; null as long as there are no runs. */
export function useBook(runs: Run[] | undefined): Resource<Book | null> {
  const hasRuns = runs !== undefined && runs.length > 0;
  const ended = runs?.find((run) => !isActive(run))?.run_id;
  const book = useResource<Book | null>("book", () => (hasRuns ? api.book() : Promise.resolve(null)));
  useEffect(book.reload, [hasRuns, ended]);
  return book;
}

interface NightProps {
  runs: Run[] | undefined;
  book: Resource<Book | null>;
}

/** The figures of the newest night. */
export function NightCard({ runs, nights, book }: NightProps & { nights: Run[] | undefined }) {
  const { value, error, reload } = book;
  if (!runs || !nights || (!value && error === null && runs.length)) {
    return (
      <Card title={TITLE} class="wide">
        <Skeleton height={FIGURES_HEIGHT} />
      </Card>
    );
  }
  const isKnown = value !== null || !runs.length || isMissing(error);
  return (
    <Card
      title={TITLE}
      class="wide"
      note={value && `As of ${date(value.as_of)}`}
      action={value && <a href={links.run(value.run_id)}>View run</a>}
    >
      {isKnown && <NotThisNight nights={nights} book={value} />}
      {value ? <Figures book={value} /> : isKnown ? <NoNight /> : <Failure error={error} retry={reload} />}
    </Card>
  );
}

/** The people of the newest night that need attention first, and all by check. */
export function NightPeople({ runs, book: { value, error } }: NightProps) {
  if (!value && (error !== null || runs?.length === 0)) {
    return null;
  }
  return (
    <>
      <Card title="Needs attention" note="Who failed, is incomplete, or crossed a limit: the first ten">
        {value ? <AttentionTable book={value} /> : <Skeleton height={PEOPLE_HEIGHT} />}
      </Card>
      <Card title="Checks" class="two" note="People by check, and the changes since the night before">
        {value ? <Checks checks={value.checks} /> : <Skeleton height={PEOPLE_HEIGHT} />}
      </Card>
    </>
  );
}

/** A later night that has failed or was canceled. */
function NotThisNight({ nights, book }: { nights: Run[]; book: Book | null }) {
  const lost = lostOf(nights);
  if (!lost) {
    return null;
  }
  const which = lost.trigger.source === "timer" ? "The nightly run" : `The run by ${sourceOf(lost)}`;
  const what = lost.status === "failed" ? "failed" : "was canceled";
  return (
    <Notice
      tone={lost.status === "failed" ? "bad" : "warning"}
      title={`${which} of ${time(lost.requested_at)} ${what}`}
      action={
        <a class="button" href={links.run(lost.run_id)}>
          View the run
        </a>
      }
    >
      {book ? "These figures are of the night before." : "There are no figures yet."}
    </Notice>
  );
}

const sum = (checks: RuleOfBook[], of: "new_breaches" | "recovered"): number =>
  checks.reduce((all, check) => all + check[of], 0);

function Figures({ book }: { book: Book }) {
  return (
    <dl class="figures night">
      <Fact label="Total value">
        <span class="big-figure">{money(book.total_value, book.currency)}</span>
        {book.unconverted > 0 && (
          <span class="sub warning-text">
            Without {counted(book.unconverted, "person", "people")}: no exchange rate
          </span>
        )}
      </Fact>
      <Fact label="Analyzed">
        <a href={links.people({ status: "analyzed" })}>{counted(book.people, "person", "people")}</a>
      </Fact>
      <Fact label="New breaches">
        <Toned number={sum(book.checks, "new_breaches")} tone="bad-text" />
      </Fact>
      <Fact label="Recovered">{count(sum(book.checks, "recovered"))}</Fact>
      <Fact label="Incomplete">
        <People number={book.incomplete} tone="warning-text" href={links.people({ complete: "false" })} />
      </Fact>
      <Fact label="Failed">
        <People number={book.failed} tone="bad-text" href={links.people({ status: "failed" })} />
      </Fact>
      <Fact label="Newest price">
        <NewestPrice day={book.newest_price} />
      </Fact>
    </dl>
  );
}

function Toned({ number, tone }: { number: number; tone: string }) {
  return <span class={number > 0 ? tone : ""}>{count(number)}</span>;
}

/** A number of people, with a link to exactly these. */
function People({ number, tone, href }: { number: number; tone: string; href: string }) {
  if (number === 0) {
    return <>{count(0)}</>;
  }
  return (
    <a class={tone} href={href}>
      {count(number)}
    </a>
  );
}

function NewestPrice({ day }: { day: string | null }) {
  if (day === null) {
    return <>{NONE}</>;
  }
  const isOld = weekdaysSince(day) > OLD_WEEKDAYS;
  return (
    <span class={isOld ? "warning-text" : ""}>
      <span class="whole">{date(day)}</span>
      <span class="sub">{isOld ? `Old: ${daysAgo(day)}` : daysAgo(day)}</span>
    </span>
  );
}

function AttentionTable({ book }: { book: Book }) {
  if (!book.attention.length) {
    return book.people ? (
      <Empty title="Nobody needs attention" />
    ) : (
      <Empty title="Nobody in this night">The run analyzed nobody.</Empty>
    );
  }
  const linkOf = ({ run_id, user_id }: Attention) =>
    links.portfolio(run_id ?? book.run_id, user_id, { from: nameOf(links.people()) });
  return (
    <table class="table stacked">
      <thead>
        <tr>
          <th scope="col">Person</th>
          <th scope="col">Why</th>
          <th scope="col" class="number">
            Since
          </th>
        </tr>
      </thead>
      <tbody>
        {book.attention.map((one) => (
          <tr key={one.user_id}>
            <th scope="row">
              <PersonLink person={one} href={linkOf(one)} />
            </th>
            <td>
              <Badge tone={REASONS[one.why].tone}>{REASONS[one.why].label}</Badge>
              {one.rule && <span class="sub">{ruleOf(one.rule)}</span>}
            </td>
            <td class="number" data-label="Since">
              {date(one.since)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Checks({ checks }: { checks: RuleOfBook[] }) {
  const touched = checks.filter((check) => check.breach + check.warning + check.new_breaches + check.recovered > 0);
  const others = checks.length - touched.length;
  if (!touched.length) {
    return <Empty title="Nobody is beyond a limit" />;
  }
  return (
    <>
      <table class="table compact">
        <thead>
          <tr>
            <th scope="col">Check</th>
            <th scope="col" class="number">
              Breach
            </th>
            <th scope="col" class="number">
              Warning
            </th>
            <th scope="col" class="number">
              New
            </th>
            <th scope="col" class="number optional">
              Recovered
            </th>
          </tr>
        </thead>
        <tbody>
          {touched.map((check) => (
            <tr key={check.rule}>
              <th scope="row">{ruleOf(check.rule)}</th>
              <td class="number">
                <Members check={check} status="breach" />
              </td>
              <td class="number">
                <Members check={check} status="warning" />
              </td>
              <td class={`number ${check.new_breaches ? "bad-text" : ""}`}>{count(check.new_breaches)}</td>
              <td class="number optional">{count(check.recovered)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {others > 0 && <p class="note below">Nobody is beyond the limits of {counted(others, "other check")}.</p>}
    </>
  );
}

/** The number of people in a state of a check, with a link to them. */
function Members({ check, status }: { check: RuleOfBook; status: "breach" | "warning" }) {
  const number = check[status];
  if (number === 0) {
    return <>{count(0)}</>;
  }
  return (
    <a
      href={links.people({ check: check.rule, check_status: status })}
      aria-label={`${ruleOf(check.rule)}, ${status}: ${counted(number, "person", "people")}`}
    >
      {count(number)}
    </a>
  );
}
