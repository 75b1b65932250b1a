/** The events of the outbox with their deliveries. */

import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Delivery, EventsPage, OutboxEvent } from "../api/events-types";
import { fromNow } from "../format";
import { go, links } from "../router";
import { Confirm } from "../ui/dialog";
import { Filter, type Filters, filtersIn, type Link, List } from "../ui/list";
import { Badge, Card, Empty, PageHead, Time } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { attemptsOf, DELIVERY_STATUS, EVENT_TYPES, isOfPortfolio, isTest, typeOf } from "../words/events";
import { Receivers } from "./receivers";

const PAGE = 50;
const SOONEST_MS = 5_000;
// Each request is in the audit log.
const WAITING_MS = 60_000;
const LATEST_MS = 600_000;

const NAMES = ["status", "type", "before"] as const;
type Name = (typeof NAMES)[number];

/** Return the milliseconds until the next attempt of a page's deliveries; null where none is to be made. */
function untilNextAttempt({ events }: EventsPage, now = Date.now()): number | null {
  const waits = events
    .flatMap((event) => event.deliveries)
    .filter((delivery) => delivery.status === "pending")
    .map((delivery) => untilAttempt(delivery, now));
  return waits.length ? Math.min(LATEST_MS, ...waits) : null;
}

/** Return the milliseconds until the next attempt; a minute where its time is not known, or long past. */
function untilAttempt({ next_attempt_at }: Delivery, now: number): number {
  const left = next_attempt_at === null ? -Infinity : Date.parse(next_attempt_at) - now;
  return left < -WAITING_MS ? WAITING_MS : Math.max(SOONEST_MS, left);
}

export function Deliveries({ query }: { query: URLSearchParams }) {
  const filters = filtersIn(query, NAMES);
  const asked = { limit: PAGE, ...filters };
  const page = useResource(`events ${JSON.stringify(asked)}`, () => api.events(asked), untilNextAttempt);
  const link: Link<Name> = (changes) => links.deliveries({ ...filters, ...changes });
  const isFiltered = Boolean(filters.status || filters.type);
  return (
    <>
      <PageHead title="Deliveries" about="The events of the last 30 days, newest first, and who receives them." />
      <Receivers onTest={page.reload} />
      <Toolbar filters={filters} link={link} />
      <List
        label="Pages of events"
        page={page}
        height={480}
        first={filters.before && link({ before: null })}
        next={(before) => link({ before })}
      >
        {({ events, next }) => (
          <Card title="Events">
            {events.length ? (
              <Events events={events} reload={page.reload} />
            ) : (
              <None isFiltered={isFiltered} isLast={next === null} />
            )}
          </Card>
        )}
      </List>
    </>
  );
}

function None({ isFiltered, isLast }: { isFiltered: boolean; isLast: boolean }) {
  if (!isLast) {
    return <Empty title="No matches on this page">There may be some among the earlier events of the next page.</Empty>;
  }
  return isFiltered ? (
    <Empty title="No matches">Try another status or type.</Empty>
  ) : (
    <Empty title="No events yet">Runs, and portfolios that change in a night, will appear here.</Empty>
  );
}

const STATES = Object.entries(DELIVERY_STATUS).map(([status, { label }]): [string, string] => [status, label]);

function Toolbar({ filters, link }: { filters: Filters<Name>; link: Link<Name> }) {
  const change = (changes: Partial<Filters<Name>>) => go(link({ ...changes, before: null }));
  return (
    <search class="toolbar two-fields">
      <Filter label="Status" value={filters.status} options={STATES} onChange={(status) => change({ status })} />
      <Filter label="Type" value={filters.type} options={EVENT_TYPES} onChange={(type) => change({ type })} />
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
        {event.status === null ? (
          <Badge tone="neutral">No receiver</Badge>
        ) : (
          <Badge tone={DELIVERY_STATUS[event.status].tone}>{DELIVERY_STATUS[event.status].label}</Badge>
        )}
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
