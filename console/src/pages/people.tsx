/** The portfolios of the newest night by person, with search, filters, sorting, columns, pages and files. */

import { api, isMissing } from "../api/client";
import type { Person } from "../api/people-types";
import { date } from "../format";
import { go, links, replace } from "../router";
import { Download } from "../ui/download";
import { Badge, Empty, Failure, PageHead, Pager, Scrollable, Skeleton } from "../ui/parts";
import { PersonLink } from "../ui/person";
import { useResource } from "../ui/resource";
import { Search } from "../ui/search";
import { SortHead } from "../ui/sort-head";
import { kindOf } from "../words/errors";
import { RULES, reasonOf } from "../words/reports";
import { COLUMNS, type Column, ColumnMenu, columnsIn } from "./people-columns";
import { REPORT_STATUS } from "./portfolios";

const PAGE = 50;
export const LONGEST_SEARCH = 128;
const CSV = "text/csv";
const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const OF_BACKTEST = ["annual_volatility", "max_drawdown", "value_at_risk_95"];

const FILTERS = ["q", "status", "check", "check_status", "sort", "order"] as const;
type Filters = Record<(typeof FILTERS)[number] | "columns" | "after", string | null>;
type Link = (changes: Partial<Filters>) => string;

export function People({ query }: { query: URLSearchParams }) {
  const filters = Object.fromEntries(
    [...FILTERS, "columns", "after"].map((name) => [name, query.get(name)]),
  ) as Filters;
  const asked = Object.fromEntries(FILTERS.map((name) => [name, filters[name]]));
  const shown = { ...asked, limit: PAGE, after: filters.after };
  const page = useResource(`people ${JSON.stringify(shown)}`, () => api.people(shown));
  const columns = columnsIn(filters.columns);
  const link: Link = (changes) => links.people({ ...filters, ...changes });
  const people = page.value?.portfolios;
  const asOf = people?.[0]?.as_of ?? null;
  const name = ["portfolios", asOf].filter(Boolean).join("-");
  return (
    <>
      <PageHead title="Portfolios" about={asOf ? `The newest night, as of ${date(asOf)}` : "The newest night"} />
      <Toolbar filters={filters} link={link} />
      {page.error !== null && <Failure error={page.error} retry={page.reload} />}
      {!people && page.error === null && <Skeleton height={640} />}
      {people && (
        <div class="card">
          <div class="list-head">
            <p class="note">
              {columns.some((column) => OF_BACKTEST.includes(column.name)) &&
                "Volatility, drawdown and VaR are hypothetical: of today's holdings, held over the past."}
            </p>
            <div class="actions">
              <ColumnMenu shown={columns} onChange={(text) => replace(link({ columns: text }))} />
              <Download label="CSV" name={name} extension="csv" load={() => api.peopleFile(asked, CSV)} />
              <Download label="XLSX" name={name} extension="xlsx" load={() => api.peopleFile(asked, XLSX)} />
            </div>
          </div>
          {people.length ? (
            <Lines people={people} columns={columns} filters={filters} link={link} />
          ) : (
            <Nobody isFiltered={Boolean(filters.q || filters.status || filters.check)} />
          )}
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

function Nobody({ isFiltered }: { isFiltered: boolean }) {
  return isFiltered ? <Empty title="No matches">Try other filters or another search.</Empty> : <NoPeople />;
}

/** Tells a night without people from no night. */
function NoPeople() {
  const { value, error } = useResource("book of nobody", api.book);
  if (value) {
    return <Empty title="Nobody in this night">The newest night, as of {date(value.as_of)}, analyzed nobody.</Empty>;
  }
  return isMissing(error) ? <NoNight /> : <Empty title="No portfolios" />;
}

export function NoNight() {
  return (
    <Empty title="No night yet">
      A night is a run of all active users as of the last trading day. Wait for the nightly run, or{" "}
      <a href={links.start()}>start one</a>.
    </Empty>
  );
}

function Toolbar({ filters, link }: { filters: Filters; link: Link }) {
  const change = (changes: Partial<Filters>) => go(link({ ...changes, after: null }));
  return (
    <search class="toolbar">
      <Search
        label="ID, name or e-mail contains"
        kept={filters.q ?? ""}
        longest={LONGEST_SEARCH}
        onSearch={(q) => replace(link({ q, after: null }))}
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
        <select
          value={filters.check ?? ""}
          onChange={(event) => {
            const check = event.currentTarget.value;
            change({ check, check_status: check && filters.check_status });
          }}
        >
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
          value={filters.check_status ?? ""}
          disabled={!filters.check}
          onChange={(event) => change({ check_status: event.currentTarget.value })}
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
            const sort = event.currentTarget.value;
            change({ sort, order: COLUMNS.find((column) => column.name === sort)?.first ?? "asc" });
          }}
        >
          <option value="user_id">User ID</option>
          {COLUMNS.filter((column) => column.first).map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

function Lines(props: { people: Person[]; columns: Column[]; filters: Filters; link: Link }) {
  const { people, columns, filters, link } = props;
  const orderOf = (name: string) => ((filters.sort ?? "user_id") === name ? (filters.order ?? "asc") : null);
  const sorted = (name: string) => (order: string) => link({ sort: name, order, after: null });
  return (
    <Scrollable label="Portfolios">
      <table class="table stacked people">
        <thead>
          <tr>
            <SortHead label="Person" class="" first="asc" order={orderOf("user_id")} link={sorted("user_id")} />
            {columns.map(({ name, label, first, isNumber }) =>
              first ? (
                <SortHead
                  key={name}
                  label={label}
                  class={isNumber ? "number" : ""}
                  first={first}
                  order={orderOf(name)}
                  link={sorted(name)}
                />
              ) : (
                <th key={name} scope="col" class={isNumber ? "number" : ""}>
                  {label}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {people.map((person) => (
            <Line key={person.user_id} person={person} columns={columns} />
          ))}
        </tbody>
      </table>
    </Scrollable>
  );
}

function Line({ person, columns }: { person: Person; columns: Column[] }) {
  const { tone, label } = REPORT_STATUS[person.status];
  return (
    <tr>
      <th scope="row">
        <PersonLink person={person} href={links.portfolio(person.run_id, person.user_id)} />
        {person.status !== "analyzed" && <Badge tone={tone}>{label}</Badge>}
        {person.reason && (
          <span class="sub">{person.status === "failed" ? kindOf(person.reason).title : reasonOf(person.reason)}</span>
        )}
      </th>
      {columns.map((column) => (
        <td key={column.name} class={column.isNumber ? "number" : ""} data-label={column.label}>
          {column.cell(person)}
        </td>
      ))}
    </tr>
  );
}
