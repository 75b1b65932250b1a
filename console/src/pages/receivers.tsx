/** The receivers of events. */

import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Receiver } from "../api/events-types";
import { counted } from "../format";
import { Confirm } from "../ui/dialog";
import { Trouble } from "../ui/list";
import { Badge, Card, Empty, Skeleton, Time } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { EVENT_TYPES, typeOf } from "../words/events";

const SOONEST_MS = 5_000;
const LATEST_MS = 60_000;

/** Return the milliseconds until a receiver that rests may be active again, at most a minute. */
function untilResumed(receivers: Receiver[], now = Date.now()): number {
  const left = receivers.map(({ resumes_at }) => (resumes_at === null ? 0 : Date.parse(resumes_at) - now));
  return Math.max(SOONEST_MS, Math.min(LATEST_MS, ...left.filter((wait) => wait > 0)));
}

export function Receivers({ onTest }: { onTest: () => void }) {
  const receivers = useResource("receivers", api.webhooks, ({ webhooks }) => untilResumed(webhooks));
  const { value, error, reload } = receivers;
  const [tested, setTested] = useState<string | null>(null);
  return (
    <Card title="Receivers">
      <Trouble resource={receivers} />
      {!value && error === null && <Skeleton height={92} />}
      {value && (value.webhooks.length ? <ReceiversTable receivers={value.webhooks} onTest={setTested} /> : <None />)}
      {tested && (
        <ConfirmTest
          endpointId={tested}
          reload={() => {
            reload();
            onTest();
          }}
          onClose={() => setTested(null)}
        />
      )}
    </Card>
  );
}

function None() {
  return (
    <Empty title="No receivers">
      Events are kept for 30 days, but go nowhere. Set <code>WEBHOOKS</code> or <code>EVENT_GRID_ENDPOINT</code>, or add
      documents to the collection <code>webhooks</code>. <code>docs/events.md</code> shows how.
    </Empty>
  );
}

function ReceiversTable({ receivers, onTest }: { receivers: Receiver[]; onTest: (endpointId: string) => void }) {
  return (
    <table class="table stacked">
      <thead>
        <tr>
          <th scope="col">Receiver</th>
          <th scope="col">Types</th>
          <th scope="col">State</th>
          <th scope="col">
            <span class="hidden">Action</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {receivers.map((receiver) => (
          <tr key={receiver.endpoint_id}>
            <th scope="row">
              {receiver.endpoint_id}
              <span class="sub">{receiver.host}</span>
            </th>
            <td data-label="Types">
              {receiver.types.length < EVENT_TYPES.length ? receiver.types.map(typeOf).join(", ") : "All"}
            </td>
            <td>
              <ReceiverState receiver={receiver} />
            </td>
            <td class="action">
              <button
                type="button"
                class="button"
                aria-label={`Send a test to ${receiver.endpoint_id}`}
                onClick={() => onTest(receiver.endpoint_id)}
              >
                Send a test
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ReceiverState({ receiver: { active, failures, resumes_at } }: { receiver: Receiver }) {
  if (!active) {
    return (
      <>
        <Badge tone="bad">Not active</Badge>
        <span class="sub">
          It answered 410, or was switched off. Set <code>active</code> in its document of <code>webhooks</code>.
        </span>
      </>
    );
  }
  if (resumes_at !== null && Date.parse(resumes_at) > Date.now()) {
    return (
      <>
        <Badge tone="warning">Resting</Badge>
        <span class="sub">
          Until <Time iso={resumes_at} />, after {counted(failures, "failure")} in a row
        </span>
      </>
    );
  }
  return <Badge tone="ok">Active</Badge>;
}

function ConfirmTest(props: { endpointId: string; reload: () => void; onClose: () => void }) {
  const send = async () => {
    await api.testWebhook(props.endpointId);
    toast(`Test sent to ${props.endpointId}`);
    props.reload();
  };
  return (
    <Confirm title="Send a test?" confirm="Send a test" onConfirm={send} onClose={props.onClose}>
      <p>
        <strong>{props.endpointId}</strong> gets an event of the type Test. Its delivery appears below.
      </p>
    </Confirm>
  );
}
