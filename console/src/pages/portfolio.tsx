/** The report of one user: value, checks, risk, holdings and advice. */

import { isOfPerson } from "../api/audience";
import { api, isMissing } from "../api/client";
import type { Check, DataQuality, Report, Valuation } from "../api/types";
import { count, counted, currencyName, money, percent, signedPercent } from "../format";
import { links } from "../router";
import { Badge, Card, Empty, Fact, Failure, Notice, PageHead, Skeleton, Tabs, type Tone } from "../ui/parts";
import { AsOf, PriceIssues } from "../ui/price-issues";
import { once, useResource } from "../ui/resource";
import { kindOf } from "../words/errors";
import { CHECK_STATUS, hypothetical, RULES, reasonOf, unpricedReason } from "../words/reports";
import { Money } from "./money";
import { Advice } from "./portfolio-advice";
import { Changes } from "./portfolio-changes";
import { Currencies } from "./portfolio-currencies";
import { Holdings } from "./portfolio-holdings";
import { RiskCard, StressCard } from "./portfolio-risk";
import { SeriesCards } from "./portfolio-series";
import { REPORT_STATUS } from "./portfolios";

export type View = "analysis" | "money";

export function PortfolioPage({ runId, userId, view }: { runId: string; userId: string; view: View }) {
  const { value, error, reload } = useResource(`report ${runId} ${userId}`, () =>
    once(`report ${runId} ${userId}`, () => api.report(runId, userId)),
  );
  const trail: [string, string][] = [
    ["Runs", links.runs()],
    ["Run", links.run(runId)],
    ["Portfolios", links.portfolios(runId)],
  ];
  return (
    <>
      <PageHead
        title={userId}
        part={view === "money" ? "Your money" : undefined}
        trail={trail}
        about={value && <About report={value} />}
      />
      {error === null && value?.status !== "failed" && <Views runId={runId} userId={userId} view={view} />}
      {!value && error === null && <Skeleton height={900} />}
      {error !== null && isMissing(error) && (
        <Empty title="No report">
          This run has no report for this user. The user was not part of the run, it was a dry run, or its reports have
          been deleted.
        </Empty>
      )}
      {error !== null && !isMissing(error) && <Failure error={error} retry={reload} />}
      {value && <Shown report={value} view={view} />}
    </>
  );
}

/** The tabs of a report. */
export function Views({ runId, userId, view }: { runId: string; userId: string; view: View }) {
  return (
    <Tabs
      label="Parts of the report"
      tabs={[
        { label: "Analysis", link: links.portfolio(runId, userId), isShown: view === "analysis" },
        { label: "Your money", link: links.money(runId, userId), isShown: view === "money" },
      ]}
    />
  );
}

/** The shown part of a report. */
export function Shown({ report, view }: { report: Report; view: View }) {
  return view === "money" && report.status !== "failed" ? <Money report={report} /> : <Parts report={report} />;
}

export function About({ report }: { report: Report }) {
  const { tone, label } = REPORT_STATUS[report.status];
  return (
    <>
      <Badge tone={tone}>{label}</Badge>
      {report.valuation && !report.valuation.complete && <Badge tone="warning">Incomplete</Badge>}
      <span>
        As of <AsOf day={report.as_of} issues={report.data_quality?.price_issues ?? []} />
      </span>
      <span class="optional" title={currencyName(report.currency)}>
        Amounts in {report.currency}
      </span>
    </>
  );
}

function Parts({ report }: { report: Report }) {
  if (report.status === "failed") {
    const kind = kindOf(report.reason ?? "");
    return (
      <Notice tone="bad" title={kind.title}>
        {report.error} {kind.advice}
      </Notice>
    );
  }
  const incomplete = report.valuation !== null && !report.valuation.complete;
  return (
    <>
      {report.reason && !(incomplete && report.reason === "no_prices") && (
        <Notice tone={report.status === "skipped" ? "neutral" : "warning"} title={reasonOf(report.reason)} />
      )}
      {report.valuation && incomplete && <Incomplete report={report} valuation={report.valuation} />}
      {report.valuation && <Worth report={report} valuation={report.valuation} />}
      {report.status === "analyzed" && (
        <>
          <div class="columns">
            <Checks checks={report.checks} />
            {!isOfPerson && <Changes report={report} />}
          </div>
          {report.performance && <SeriesCards report={report} performance={report.performance} />}
          {report.holdings.length > 0 && <Holdings report={report} />}
          <Currencies report={report} />
          {(report.risk || report.stress) && (
            <div class="columns">
              {report.risk && <RiskCard report={report} risk={report.risk} />}
              {report.stress && <StressCard stress={report.stress} currency={report.currency} />}
            </div>
          )}
          <Advice report={report} />
        </>
      )}
      {report.data_quality && <Quality quality={report.data_quality} />}
    </>
  );
}

function Worth({ report, valuation }: { report: Report; valuation: Valuation }) {
  const { currency } = report;
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

/** The values below are not those of everything the person owns. */
function Incomplete({ report, valuation }: { report: Report; valuation: Valuation }) {
  const unpriced = report.holdings.filter((held) => held.reason !== null);
  const names = unpriced.slice(0, NAMED).map((held) => `${held.symbol} (${unpricedReason(held.reason)})`);
  const more = unpriced.length > NAMED ? ` and ${count(unpriced.length - NAMED)} more` : "";
  const cost = valuation.unpriced_cost > 0 ? `, bought for ${money(valuation.unpriced_cost, report.currency)}` : "";
  return (
    <Notice
      tone="warning"
      title={`Incomplete: ${count(unpriced.length)} of ${counted(report.holdings.length, "holding")} cannot be valued`}
    >
      No total includes {names.join(", ")}
      {more}
      {cost}. Nothing is sold for its weight until all have a value.
    </Notice>
  );
}

function Part({ percents }: { percents: number | null }) {
  return percents === null ? null : <span class="sub">{signedPercent(percents / 100)}</span>;
}

const NAMED = 8;
const CHECK_TONES: Record<Check["status"], Tone> = { ok: "ok", warning: "warning", breach: "bad", unknown: "neutral" };
const SEVERITY: Check["status"][] = ["breach", "warning", "unknown", "ok"];

function Checks({ checks }: { checks: Check[] }) {
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
              <h3>{RULES[check.rule]?.label ?? check.rule}</h3>
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

function Quality({ quality }: { quality: DataQuality }) {
  const lists: [string, string[]][] = [
    ["No price", quality.missing_symbols],
    ["Stale price", quality.stale_symbols],
    ["Short price history", quality.short_history_symbols],
    ["Younger than the backtest", quality.young_symbols],
    ["Cost unknown", quality.unknown_cost_symbols],
    ["Unreadable", quality.invalid_holdings.map(({ symbol, reason }) => `${symbol}: ${reason}`)],
  ];
  const affected = lists.filter(([, names]) => names.length > 0);
  return (
    <Card title="Data quality">
      <p>
        {quality.coverage === null
          ? "The size of a holding without a price is unknown, so it is unknown for how much the figures stand."
          : `The figures based on returns stand for ${percent(quality.coverage)} of what is owned.`}
      </p>
      {affected.length > 0 && (
        <dl class="facts">
          {affected.map(([label, names]) => (
            <Fact key={label} label={label}>
              {names.join(", ")}
            </Fact>
          ))}
        </dl>
      )}
      <PriceIssues issues={quality.price_issues} />
      {quality.notes.length > 0 && (
        <ul class="plain-list">
          {quality.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </Card>
  );
}
