/** The events of the outbox with their deliveries. */

import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Delivery, EventsPage, OutboxEvent } from "../api/events-types";
import { fromNow } from "../format";
import { go, links } from "../router";
import { Confirm } from "../ui/dialog";
import { Badge, Card, Empty, Failure, PageHead, Pager, Skeleton, Time } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { attemptsOf, DELIVERY_STATUS, EVENT_TYPES, isOfPortfolio, isTest, typeOf } from "../words/events";
import { Receivers } from "./receivers";

const PAGE = 50;
const SOONEST_MS = 5_000;
const LATEST_MS = 600_000;

type Filters = Record<"status" | "type" | "before", string | null>;
type Link = (changes: Partial<Filters>) => string;

/** Return the milliseconds until the next attempt of a page's deliveries; null where none is to be made. */
function untilNextAttempt({ events }: EventsPage, now = Date.now()): number | null {
  const due = events
    .flatMap((event) => event.deliveries)
    .filter((delivery) => delivery.status === "pending")
    .map((delivery) => (delivery.next_attempt_at === null ? 0 : Date.parse(delivery.next_attempt_at) - now));
  return due.length ? Math.min(LATEST_MS, Math.max(SOONEST_MS, Math.min(...due))) : null;
}

export function Deliveries({ query }: { query: URLSearchParams }) {
  const filters: Filters = { status: query.get("status"), type: query.get("type"), before: query.get("before") };
  const asked = { limit: PAGE, ...filters };
  const page = useResource(`events ${JSON.stringify(asked)}`, () => api.events(asked), untilNextAttempt);
  const link: Link = (changes) => links.deliveries({ ...filters, ...changes });
  const isFiltered = Boolean(filters.status || filters.type);
  return (
    <>
      <PageHead title="Deliveries" about="The events of the last 30 days, newest first, and who receives them." />
      <Receivers onTest={page.reload} />
      <Toolbar filters={filters} link={link} />
      {page.error !== null && !page.value && <Failure error={page.error} retry={page.reload} />}
      {!page.value && page.error === null && <Skeleton height={480} />}
      {page.value && (
        <Card title="Events">
          {page.value.events.length ? (
            <Events events={page.value.events} reload={page.reload} />
          ) : isFiltered ? (
            <Empty title="No matches">Try another status or type.</Empty>
          ) : (
            <Empty title="No events yet">Runs, and portfolios that change in a night, will appear here.</Empty>
          )}
        </Card>
      )}
      {page.value && (
        <Pager
          label="Pages of events"
          first={filters.before && link({ before: null })}
          next={page.value.next && link({ before: page.value.next })}
        />
      )}
    </>
  );
}

function Toolbar({ filters, link }: { filters: Filters; link: Link }) {
  const change = (changes: Partial<Filters>) => go(link({ ...changes, before: null }));
  return (
    <search class="toolbar two-fields">
      <label class="field">
        <span>Status</span>
        <select value={filters.status ?? ""} onChange={(event) => change({ status: event.currentTarget.value })}>
          <option value="">All</option>
          {Object.entries(DELIVERY_STATUS).map(([status, { label }]) => (
            <option key={status} value={status}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Type</span>
        <select value={filters.type ?? ""} onChange={(event) => change({ type: event.currentTarget.value })}>
          <option value="">All</option>
          {EVENT_TYPES.map(([type, label]) => (
            <option key={type} value={type}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

function Events({ events, reload }: { events: OutboxEvent[]; reload: () => void }) {
  const [again, setAgain] = useState<OutboxEvent | null>(null);
  return (
    <>
      <table class="table stacked events">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Event</th>
            <th scope="col">Status</th>
            <th scope="col">Deliveries</th>
            <th scope="col">
              <span class="hidden">Action</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <EventRow key={event.event_id} event={event} onAgain={() => setAgain(event)} />
          ))}
        </tbody>
      </table>
      {again && <ConfirmAgain event={again} reload={reload} onClose={() => setAgain(null)} />}
    </>
  );
}

function EventRow({ event, onAgain }: { event: OutboxEvent; onAgain: () => void }) {
  const { tone, label } = DELIVERY_STATUS[event.status];
  return (
    <tr>
      <th scope="row">
        <Time iso={event.time} />
      </th>
      <td>
        {typeOf(event.type)}
        <span class="sub">
          <Subject event={event} />
        </span>
      </td>
      <td>
        {event.deliveries.length ? <Badge tone={tone}>{label}</Badge> : <Badge tone="neutral">No receiver</Badge>}
      </td>
      <td>
        <ul class="deliveries">
          {event.deliveries.map((delivery) => (
            <DeliveryLine key={delivery.endpoint_id} delivery={delivery} />
          ))}
        </ul>
      </td>
      <td class="action">
        <button
          type="button"
          class="button"
          onClick={onAgain}
          aria-label={`Send again: ${typeOf(event.type)}, ${event.subject}`}
        >
          Send again
        </button>
      </td>
    </tr>
  );
}

function Subject({ event }: { event: OutboxEvent }) {
  if (isTest(event.type) || event.run_id === null) {
    return <bdi>{event.subject}</bdi>;
  }
  const href = isOfPortfolio(event.type) ? links.portfolio(event.run_id, event.subject) : links.run(event.run_id);
  return (
    <a href={href}>
      <bdi>{event.subject}</bdi>
    </a>
  );
}

function DeliveryLine({ delivery }: { delivery: Delivery }) {
  const { status, next_attempt_at } = delivery;
  return (
    <li>
      <strong>{delivery.endpoint_id}</strong> {DELIVERY_STATUS[status].label.toLowerCase()}
      <span class="sub">
        {attemptsOf(delivery)}
        {status === "pending" && next_attempt_at && (
          <>
            {attemptsOf(delivery) && ", "}
            <time dateTime={next_attempt_at}>
              {Date.parse(next_attempt_at) > Date.now() ? `next ${fromNow(next_attempt_at)}` : "due"}
            </time>
          </>
        )}
      </span>
    </li>
  );
}

function ConfirmAgain({ event, reload, onClose }: { event: OutboxEvent; reload: () => void; onClose: () => void }) {
  const send = async () => {
    const { endpoint_ids } = await api.replay(event.event_id);
    toast(`Sent again to ${endpoint_ids.join(", ")}`);
    reload();
  };
  return (
    <Confirm title="Send this event again?" confirm="Send again" onConfirm={send} onClose={onClose}>
      <p>
        <strong>{typeOf(event.type)}</strong>, <bdi>{event.subject}</bdi>: all active receivers of this type get it
        again, with the same ID.
      </p>
    </Confirm>
  );
}
