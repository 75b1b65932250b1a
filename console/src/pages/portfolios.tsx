/** The portfolios of a run, with search, filters, sorting and pages. */

import { api, isMissing } from "../api/client";
import type { Summary } from "../api/people-types";
import { amount, count, percent } from "../format";
import { go, links, replace } from "../router";
import { Icon } from "../ui/icons";
import { Badge, Empty, Failure, PageHead, Pager, Skeleton, type Tone } from "../ui/parts";
import { once, useResource } from "../ui/resource";
import { Search } from "../ui/search";
import { SortHead } from "../ui/sort-head";
import { RULES, reasonOf } from "../words/reports";
import { isActive, titleOf } from "../words/runs";

const PAGE = 100;

export const REPORT_STATUS: Record<Summary["status"], { tone: Tone; label: string }> = {
  analyzed: { tone: "ok", label: "Analyzed" },
  skipped: { tone: "neutral", label: "Skipped" },
  failed: { tone: "bad", label: "Failed" },
};

interface Column {
  sort: string;
  label: string;
  optional?: boolean;
  /** The order of the first click: largest value first, deepest drawdown first. */
  first: "asc" | "desc";
}

const COLUMNS: Column[] = [
  { sort: "user_id", label: "User", first: "asc" },
  { sort: "market_value", label: "Value", first: "desc" },
  { sort: "annual_volatility", label: "Volatility", first: "desc", optional: true },
  { sort: "max_drawdown", label: "Max drawdown", first: "asc" },
  { sort: "value_at_risk_95", label: "VaR 95%", first: "asc", optional: true },
  { sort: "breaches", label: "Checks", first: "desc" },
];

type Filters = Record<"search" | "status" | "check" | "sort" | "order" | "after", string | null>;

function filtersOf(query: URLSearchParams): Filters {
  const names = ["search", "status", "check", "sort", "order", "after"] as const;
  return Object.fromEntries(names.map((name) => [name, query.get(name)])) as Filters;
}

export function Portfolios({ runId, query }: { runId: string; query: URLSearchParams }) {
  const filters = filtersOf(query);
  const run = useResource(`run of portfolios ${runId}`, () => api.run(runId));
  const over = run.value !== null && !isActive(run.value);
  const asked = { limit: PAGE, user_id_prefix: filters.search, ...pick(filters) };
  const key = `portfolios ${runId} ${JSON.stringify(asked)}`;
  const load = () => api.portfolios(runId, asked);
  const page = useResource(key, () => (over ? once(key, load) : load()));
  const link = (changes: Partial<Filters>) => links.portfolios(runId, { ...filters, ...changes });
  const trail: [string, string][] = [
    ["Runs", links.runs()],
    [run.value ? titleOf(run.value) : "Run", links.run(runId)],
  ];
  return (
    <>
      <PageHead
        title="Portfolios"
        trail={trail}
        about={run.value && <span>{count(reportsOf(run.value))} reports in this run</span>}
      />
      <Toolbar filters={filters} link={link} />
      {page.error !== null && !isMissing(page.error) && <Failure error={page.error} retry={page.reload} />}
      {page.error !== null && isMissing(page.error) && <Empty title="Run not found">{runId}</Empty>}
      {!page.value && page.error === null && <Skeleton height={640} />}
      {page.value && (
        <div class="card">
          <p class="note">
            Volatility, drawdown and VaR are hypothetical: of today's holdings, held over the past. Values are in the
            currency of each user, which the report names.
          </p>
          <Lines lines={page.value.portfolios} runId={runId} filters={filters} link={link} />
        </div>
      )}
      {page.value && (
        <Pager
          label="Pages of portfolios"
          first={filters.after && link({ after: null })}
          next={page.value.next && link({ after: page.value.next })}
        />
      )}
    </>
  );
}

const pick = ({ status, check, sort, order, after }: Filters) => ({ status, check, sort, order, after });

const reportsOf = (run: { users_analyzed: number; users_skipped: number; users_failed: number }): number =>
  run.users_analyzed + run.users_skipped + run.users_failed;

type Link = (changes: Partial<Filters>) => string;

function Toolbar({ filters, link }: { filters: Filters; link: Link }) {
  const [rule, level] = (filters.check ?? "").split(":");
  const change = (changes: Partial<Filters>) => go(link({ ...changes, after: null }));
  return (
    <search class="toolbar">
      <Search
        label="User ID starts with"
        kept={filters.search ?? ""}
        onSearch={(search) => replace(link({ search, after: null }))}
      />
      <label class="field">
        <span>Status</span>
        <select value={filters.status ?? ""} onChange={(event) => change({ status: event.currentTarget.value })}>
          <option value="">All</option>
          {Object.entries(REPORT_STATUS).map(([status, { label }]) => (
            <option key={status} value={status}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Check</span>
        <select value={rule} onChange={(event) => change({ check: event.currentTarget.value })}>
          <option value="">All</option>
          {Object.entries(RULES).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Result</span>
        <select
          value={level ?? ""}
          disabled={!rule}
          onChange={(event) => change({ check: [rule, event.currentTarget.value].filter(Boolean).join(":") })}
        >
          <option value="">Warning or breach</option>
          <option value="warning">Warning</option>
          <option value="breach">Breach</option>
          <option value="unknown">Unknown</option>
        </select>
      </label>
      <label class="field phone-only">
        <span>Sort by</span>
        <select
          value={filters.sort ?? "user_id"}
          onChange={(event) => {
            const column = COLUMNS.find(({ sort }) => sort === event.currentTarget.value);
            change({ sort: event.currentTarget.value, order: column?.first ?? "asc" });
          }}
        >
          {COLUMNS.map(({ sort, label }) => (
            <option key={sort} value={sort}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

function Lines(props: { lines: Summary[]; runId: string; filters: Filters; link: Link }) {
  if (!props.lines.length) {
    return <Empty title="No matches">Try other filters or another search.</Empty>;
  }
  return (
    <table class="table stacked portfolios">
      <thead>
        <tr>
          {COLUMNS.map((column) => (
            <SortHead
              key={column.sort}
              class={[column.sort === "user_id" ? "" : "number", column.optional ? "optional" : ""].join(" ")}
              label={column.label}
              first={column.first}
              order={(props.filters.sort ?? "user_id") === column.sort ? (props.filters.order ?? "asc") : null}
              link={(order) => props.link({ sort: column.sort, order, after: null })}
            />
          ))}
        </tr>
      </thead>
      <tbody>
        {props.lines.map((line) => (
          <Line key={line.user_id} line={line} runId={props.runId} />
        ))}
      </tbody>
    </table>
  );
}

function Line({ line, runId }: { line: Summary; runId: string }) {
  const { tone, label } = REPORT_STATUS[line.status];
  return (
    <tr>
      <th scope="row">
        <a class="row-link" href={links.portfolio(runId, line.user_id)}>
          {line.user_id}
        </a>
        {line.status !== "analyzed" && <Badge tone={tone}>{label}</Badge>}
        {line.reason && <span class="sub">{reasonOf(line.reason)}</span>}
      </th>
      <td class="number" data-label="Value">
        {amount(line.market_value)}
        {line.complete === false && <span class="sub warning-text">Incomplete</span>}
      </td>
      <td class="number optional" data-label="Volatility">
        {percent(line.annual_volatility)}
      </td>
      <td class="number" data-label="Max drawdown">
        {percent(line.max_drawdown)}
      </td>
      <td class="number optional" data-label="VaR 95%">
        {percent(line.value_at_risk_95, 2)}
      </td>
      <td class="number" data-label="Checks">
        <CheckCounts line={line} />
      </td>
    </tr>
  );
}

function CheckCounts({ line }: { line: Summary }) {
  if (line.status !== "analyzed") {
    return <>–</>;
  }
  return (
    <span class="check-counts">
      {line.breaches > 0 && (
        <span class="bad-text" title="Breaches">
          <Icon name="error" size={14} />
          <span class="hidden">Breaches: </span>
          {line.breaches}
        </span>
      )}
      {line.warnings > 0 && (
        <span class="warning-text" title="Warnings">
          <Icon name="warning" size={14} />
          <span class="hidden">Warnings: </span>
          {line.warnings}
        </span>
      )}
      {line.unknowns > 0 && (
        <span title="Unknown">
          <Icon name="stopped" size={14} />
          <span class="hidden">Unknown: </span>
          {line.unknowns}
        </span>
      )}
      {line.breaches + line.warnings + line.unknowns === 0 && <span class="ok-text">All OK</span>}
    </span>
  );
}
