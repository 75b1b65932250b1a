/** What a portfolio is worth, how much of it is known, and its checks. */

import type { Check, Report } from "../api/types";
import { count, counted, money, percent, signedPercent } from "../format";
import { Badge, Card, Fact, Notice, type Tone } from "../ui/parts";
import { CHECK_STATUS, hypothetical, lackOf, RULES, reasonOf, unpricedReason } from "../words/reports";

const NAMED = 8;

/** Why a report lacks figures, unless the banner of an incomplete valuation says so. */
export function Reason({ report }: { report: Report }) {
  const isSaid = report.valuation?.complete === false && report.reason === "no_prices";
  return report.reason && !isSaid ? (
    <Notice tone={report.status === "skipped" ? "neutral" : "warning"} title={reasonOf(report.reason)} />
  ) : null;
}

/** What the figures do not stand for, where a holding has no value. */
export function Incomplete({ report }: { report: Report }) {
  const { valuation, holdings, currency } = report;
  if (!valuation || valuation.complete) {
    return null;
  }
  const unpriced = holdings.filter((held) => held.reason !== null);
  const names = unpriced.slice(0, NAMED).map((held) => `${held.symbol} (${unpricedReason(held.reason)})`);
  const more = unpriced.length > NAMED ? ` and ${count(unpriced.length - NAMED)} more` : "";
  const cost = valuation.unpriced_cost > 0 ? `, bought for ${money(valuation.unpriced_cost, currency)}` : "";
  return (
    <Notice
      tone="warning"
      title={`Incomplete: ${count(unpriced.length)} of ${counted(holdings.length, "holding")} cannot be valued`}
    >
      No total includes {names.join(", ")}
      {more}
      {cost}.
      <ul class="meanings">
        {lackOf(report).map((meaning) => (
          <li key={meaning}>{meaning}</li>
        ))}
      </ul>
    </Notice>
  );
}

export function Worth({ report }: { report: Report }) {
  const { valuation, currency } = report;
  if (!valuation) {
    return null;
  }
  const tone = (value: number | null) => (value === null || value === 0 ? "" : value > 0 ? "ok-text" : "bad-text");
  return (
    <dl class="card figures">
      <Fact label="Total value">{money(valuation.market_value + valuation.cash, currency)}</Fact>
      <Fact label="Holdings">{money(valuation.market_value, currency)}</Fact>
      <Fact label="Cash">{money(valuation.cash, currency)}</Fact>
      <Fact label="Day change">
        <span class={tone(valuation.day_change)}>
          {money(valuation.day_change, currency, "exceptZero")}
          <Part percents={valuation.day_change_pct} />
        </span>
      </Fact>
      <Fact label="Unrealized gain">
        <span class={tone(valuation.unrealized_pl)}>
          {money(valuation.unrealized_pl, currency, "exceptZero")}
          <Part percents={valuation.unrealized_pl_pct} />
        </span>
      </Fact>
      {report.performance && (
        <Fact label="Backtest, a year">
          <span title={hypothetical(report.performance.start)}>{percent(report.performance.cagr)}</span>
        </Fact>
      )}
    </dl>
  );
}

function Part({ percents }: { percents: number | null }) {
  return percents === null ? null : <span class="sub">{signedPercent(percents / 100)}</span>;
}

const CHECK_TONES: Record<Check["status"], Tone> = { ok: "ok", warning: "warning", breach: "bad", unknown: "neutral" };
const SEVERITY: Check["status"][] = ["breach", "warning", "unknown", "ok"];

export function Checks({ checks }: { checks: Check[] }) {
  const ordered = [...checks].sort((a, b) => SEVERITY.indexOf(a.status) - SEVERITY.indexOf(b.status));
  const open = ordered.filter((check) => check.status !== "ok");
  const unknown = open.filter((check) => check.status === "unknown").length;
  const flagged = open.length - unknown;
  const fine = ordered.filter((check) => check.status === "ok");
  return (
    <Card
      title="Checks"
      note={[
        flagged
          ? `${count(flagged)} of ${count(checks.length)} flagged`
          : unknown
            ? "None flagged"
            : "All within limits",
        ...(unknown ? [`${count(unknown)} unknown`] : []),
      ].join(", ")}
    >
      <ul class="checks">
        {open.map((check) => (
          <li key={check.rule}>
            <div class="group-head">
              <h4>{RULES[check.rule]?.label ?? check.rule}</h4>
              <Badge tone={CHECK_TONES[check.status]}>{CHECK_STATUS[check.status]}</Badge>
            </div>
            <p>{check.message}</p>
            {check.status !== "unknown" && <p class="todo">{RULES[check.rule]?.todo}</p>}
          </li>
        ))}
      </ul>
      {fine.length > 0 && (
        <details>
          <summary>{count(fine.length)} within limits</summary>
          <ul class="plain-list">
            {fine.map((check) => (
              <li key={check.rule}>{check.message}</li>
            ))}
          </ul>
        </details>
      )}
    </Card>
  );
}
