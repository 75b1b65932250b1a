/** The receivers of events. */

import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Receiver } from "../api/events-types";
import { counted } from "../format";
import { Confirm } from "../ui/dialog";
import { Badge, Card, Empty, Failure, Skeleton, Time } from "../ui/parts";
import { useResource } from "../ui/resource";
import { toast } from "../ui/toasts";
import { EVENT_TYPES, typeOf } from "../words/events";

export function Receivers({ onTest }: { onTest: () => void }) {
  const { value, error, reload } = useResource("receivers", api.webhooks);
  const [tested, setTested] = useState<string | null>(null);
  return (
    <Card title="Receivers">
      {error !== null && !value && <Failure error={error} retry={reload} />}
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
