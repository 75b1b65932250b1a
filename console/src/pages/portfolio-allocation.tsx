/** How everything owned is divided, as bars. */

import { useState } from "preact/hooks";
import type { Report } from "../api/types";
import { counted, money, percent } from "../format";
import { Choice, type Option } from "../ui/choice";
import { Card, Empty } from "../ui/parts";
import { allocationOf, CASH, type Group, hasOwed, type Kind, OTHER, UNKNOWN } from "../words/allocation";

const KINDS: Option<Kind>[] = [
  { name: "holding", label: "Holding" },
  { name: "sector", label: "Sector" },
  { name: "country", label: "Country" },
  { name: "currency", label: "Currency" },
];
const NAMED = 8;

export function AllocationCard({ report }: { report: Report }) {
  const [kind, setKind] = useState<Kind>("holding");
  const groups = allocationOf(report, kind);
  const options = KINDS.filter(({ name }) => name !== "currency" || report.currency_exposure?.length);
  const unpriced = report.holdings.filter((held) => held.market_value === null).map(({ symbol }) => symbol);
  return (
    <Card
      title="Allocation"
      note={noteOf(report, kind)}
      action={<Choice label="Allocation by" options={options} chosen={kind} onChoose={setKind} />}
    >
      {groups.length ? (
        <Groups groups={groups} kind={kind} currency={report.currency} />
      ) : (
        <Empty title="Nothing has a value" />
      )}
      {unpriced.length > 0 && (
        <p class="note">
          Not in it, for want of a value: {unpriced.slice(0, NAMED).join(", ")}
          {unpriced.length > NAMED && ` and ${counted(unpriced.length - NAMED, "other holding")}`}.
        </p>
      )}
    </Card>
  );
}

function noteOf(report: Report, kind: Kind): string {
  const rate =
    kind === "currency" ? ` What is not in ${report.currency} also gains and loses with its exchange rate.` : "";
  const owed = hasOwed(report) ? " Short positions and debt count by their size, so it is not the total value." : "";
  return `Share of everything owned, cash included.${owed}${rate}`;
}

function Groups({ groups, kind, currency }: { groups: Group[]; kind: Kind; currency: string }) {
  const largest = Math.max(...groups.map(({ share }) => share));
  const hasValues = groups.every(({ value }) => value !== null);
  return (
    <table class="bars allocation">
      <caption class="hidden">Allocation by {kind}</caption>
      <thead class="hidden">
        <tr>
          <th scope="col">{KINDS.find(({ name }) => name === kind)?.label}</th>
          <th scope="col">Chart</th>
          <th scope="col">Share</th>
          {hasValues && <th scope="col">Size</th>}
        </tr>
      </thead>
      <tbody>
        {groups.map(({ name, about, share, value, owed }, place) => (
          <tr key={place}>
            <th scope="row">
              <bdi class="clamped">{name}</bdi>
              {about && (
                <span class="sub">
                  <bdi class="clamped">{about}</bdi>
                </span>
              )}
              {owed > 0 && <span class="sub">{owedPart(name, owed, value, currency)}</span>}
            </th>
            <td class="bar-cell" aria-hidden="true">
              <span class={`bar ${toneOf(name, value, owed)}`} style={{ width: `${(100 * share) / largest}%` }} />
            </td>
            <td class="number">{percent(share)}</td>
            {hasValues && <td class="number optional">{money(value, currency)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function toneOf(name: string, value: number | null, owed: number): string {
  return owed > 0 && owed === value ? "loss" : name === OTHER || name === UNKNOWN ? "weight" : "";
}

/** Return how much of a group is short or debt. */
function owedPart(name: string, owed: number, value: number | null, currency: string): string {
  const what = name === CASH ? "Debt" : "Short";
  return owed === value ? what : `${money(owed, currency)} of it short`;
}
