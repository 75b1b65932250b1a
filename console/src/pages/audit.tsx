/** The audit log. */

import { api } from "../api/client";
import type { AuditEntry } from "../api/events-types";
import { links } from "../router";
import { List } from "../ui/list";
import { Badge, Empty, PageHead, Time } from "../ui/parts";
import { useResource } from "../ui/resource";
import { actionOf, askedFor, CREDENTIALS, OUTCOMES, usersOf } from "../words/audit";

const PAGE = 50;
// Enough to find the entry in the log; the title has the whole ID.
const CORRELATION_DIGITS = 12;

export function AuditLog({ before }: { before: string | null }) {
  const page = useResource(`audit ${before}`, () => api.audit(PAGE, before));
  return (
    <>
      <PageHead title="Audit log" about="All changes, reads of portfolios and refused sign-ins, newest first." />
      <List label="Pages of the audit log" page={page} height={600} first={before && links.audit()} next={links.audit}>
        {({ entries }) => (
          <div class="card">
            {entries.length ? (
              <Entries entries={entries} />
            ) : (
              <Empty title="No entries yet">
                Started, retried and canceled runs, reads of portfolios and refused sign-ins will appear here.
              </Empty>
            )}
          </div>
        )}
      </List>
    </>
  );
}

function Entries({ entries }: { entries: AuditEntry[] }) {
  return (
    <table class="table stacked">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Action</th>
          <th scope="col">User</th>
          <th scope="col" class="optional">
            Credential
          </th>
          <th scope="col" class="optional">
            Client
          </th>
          <th scope="col">Outcome</th>
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => (
          <Entry key={entry.entry_id} entry={entry} />
        ))}
      </tbody>
    </table>
  );
}

const linkTo = (runId: string, userId: string | null) =>
  userId === null ? links.run(runId) : links.portfolio(runId, userId);

function Entry({ entry }: { entry: AuditEntry }) {
  const [tone, label] = OUTCOMES[entry.outcome];
  const asked = askedFor(entry);
  return (
    <tr>
      <th scope="row">
        <Time iso={entry.at} />
      </th>
      <td>
        {actionOf(entry.action)}
        {entry.run_id && (
          <a class="sub whole" href={linkTo(entry.run_id, entry.user_id)}>
            {entry.user_id ?? entry.run_id}
          </a>
        )}
        {entry.run_id && entry.user_id && <span class="sub whole">{entry.run_id}</span>}
        {asked && (
          <span class="sub" title={usersOf(entry)}>
            {asked}
          </span>
        )}
      </td>
      <td class="whole">{entry.actor ?? <span class="note">Not signed in</span>}</td>
      <td class="optional">
        {CREDENTIALS[entry.credential]}
        {entry.credential_id && <span class="sub">{entry.credential_id}</span>}
      </td>
      <td class="optional">
        {entry.client ?? <span class="note">The app</span>}
        <span class="sub" title={`Correlation ID in the log: ${entry.correlation_id}`}>
          {entry.correlation_id.slice(0, CORRELATION_DIGITS)} …
        </span>
      </td>
      <td>
        <Badge tone={tone}>{label}</Badge>
        {entry.problem && <span class="sub">{entry.problem.replaceAll("-", " ")}</span>}
      </td>
    </tr>
  );
}
