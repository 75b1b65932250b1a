/** The portfolios of a run, with search, filters, sorting and pages. */

import { api, isMissing } from "../api/client";
import type { Summary } from "../api/people-types";
import { amount, count, percent } from "../format";
import { go, links, replace } from "../router";
import { Icon } from "../ui/icons";
import { type Filters, filtersIn, type Link, List } from "../ui/list";
import { Badge, Empty, PageHead } from "../ui/parts";
import { once, useResource } from "../ui/resource";
import { Search } from "../ui/search";
import { SortHead } from "../ui/sort-head";
import { REPORT_STATUS, reasonOf } from "../words/reports";
import { isActive, titleOf } from "../words/runs";
import { PortfolioFilters, type SortColumn } from "./portfolio-filters";

const PAGE = 100;

interface Column extends SortColumn {
  optional?: boolean;
}

const COLUMNS: Column[] = [
  { name: "user_id", label: "User", first: "asc" },
  { name: "market_value", label: "Value", first: "desc" },
  { name: "annual_volatility", label: "Volatility", first: "desc", optional: true },
  { name: "max_drawdown", label: "Max drawdown", first: "asc" },
  { name: "value_at_risk_95", label: "VaR 95%", first: "asc", optional: true },
  { name: "breaches", label: "Checks", first: "desc" },
];

const NAMES = ["search", "status", "check", "complete", "sort", "order", "after"] as const;
type Name = (typeof NAMES)[number];

export function Portfolios({ runId, query }: { runId: string; query: URLSearchParams }) {
  const filters = filtersIn(query, NAMES);
  const run = useResource(`run of portfolios ${runId}`, () => api.run(runId));
  const over = run.value !== null && !isActive(run.value);
  const { search, ...others } = filters;
  const asked = { limit: PAGE, user_id_prefix: search, ...others };
  const key = `portfolios ${runId} ${JSON.stringify(asked)}`;
  const load = () => api.portfolios(runId, asked);
  const page = useResource(key, () => (over ? once(key, load) : load()));
  const link: Link<Name> = (changes) => links.portfolios(runId, { ...filters, ...changes });
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
      {isMissing(page.error) ? (
        <Empty title="Run not found">{runId}</Empty>
      ) : (
        <List
          label="Pages of portfolios"
          page={page}
          height={640}
          first={filters.after && link({ after: null })}
          next={(after) => link({ after })}
        >
          {({ portfolios }) => (
            <div class="card">
              <p class="note">
                Volatility, drawdown and VaR are hypothetical: of today's holdings, held over the past. Values are in
                the currency of each user, which the report names.
              </p>
              <Lines lines={portfolios} runId={runId} filters={filters} link={link} />
            </div>
          )}
        </List>
      )}
    </>
  );
}

const reportsOf = (run: { users_analyzed: number; users_skipped: number; users_failed: number }): number =>
  run.users_analyzed + run.users_skipped + run.users_failed;

interface Shown {
  filters: Filters<Name>;
  link: Link<Name>;
}

function Toolbar({ filters, link }: Shown) {
  const { status, complete, sort, order } = filters;
  const [rule = null, result = null] = filters.check?.split(":") ?? [];
  return (
    <PortfolioFilters
      chosen={{ status, complete, rule, result, sort, order }}
      columns={COLUMNS.filter(({ name }) => name !== "user_id")}
      onChange={({ rule: name, result: level, ...to }) =>
        go(link({ ...to, check: [name, level].filter(Boolean).join(":"), after: null }))
      }
    >
      <Search
        label="User ID starts with"
        kept={filters.search ?? ""}
        onSearch={(search) => replace(link({ search, after: null }))}
      />
    </PortfolioFilters>
  );
}

function Lines({ lines, runId, filters, link }: Shown & { lines: Summary[]; runId: string }) {
  if (!lines.length) {
    return <Empty title="No matches">Try other filters or another search.</Empty>;
  }
  return (
    <table class="table stacked portfolios">
      <thead>
        <tr>
          {COLUMNS.map((column) => (
            <SortHead
              key={column.name}
              class={[column.name === "user_id" ? "" : "number", column.optional ? "optional" : ""].join(" ")}
              label={column.label}
              first={column.first}
              order={(filters.sort ?? "user_id") === column.name ? (filters.order ?? "asc") : null}
              link={(order) => link({ sort: column.name, order, after: null })}
            />
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <Line key={line.user_id} line={line} runId={runId} />
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
