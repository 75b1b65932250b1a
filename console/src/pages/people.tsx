/** The portfolios of the newest night by person, with search, filters, sorting, columns, pages and files. */

import { api, isMissing } from "../api/client";
import type { Person } from "../api/people-types";
import { date } from "../format";
import { go, links, nameOf, replace } from "../router";
import { Download } from "../ui/download";
import { type Filters, filtersIn, type Link, List } from "../ui/list";
import { Badge, Empty, PageHead, Scrollable } from "../ui/parts";
import { PersonLink } from "../ui/person";
import { useResource } from "../ui/resource";
import { Search } from "../ui/search";
import { SortHead } from "../ui/sort-head";
import { kindOf } from "../words/errors";
import { REPORT_STATUS, reasonOf } from "../words/reports";
import { COLUMNS, type Column, ColumnMenu, columnsIn } from "./people-columns";
import { CSV, XLSX } from "./portfolio-files";
import { PortfolioFilters } from "./portfolio-filters";

const PAGE = 50;
export const LONGEST_SEARCH = 128;
const OF_BACKTEST = ["annual_volatility", "max_drawdown", "value_at_risk_95"];

const ASKED = ["q", "status", "check", "check_status", "complete", "sort", "order"] as const;
const NAMES = [...ASKED, "columns", "after"] as const;
type Name = (typeof NAMES)[number];

export function People({ query }: { query: URLSearchParams }) {
  const filters = filtersIn(query, NAMES);
  const asked = filtersIn(query, ASKED);
  const shown = { ...asked, limit: PAGE, after: filters.after };
  const page = useResource(`people ${JSON.stringify(shown)}`, () => api.people(shown));
  const link: Link<Name> = (changes) => links.people({ ...filters, ...changes });
  const asOf = page.value?.portfolios[0]?.as_of ?? null;
  const isFiltered = Boolean(filters.q || filters.status || filters.check || filters.complete);
  return (
    <>
      <PageHead title="Portfolios" about={asOf ? `The newest night, as of ${date(asOf)}` : "The newest night"} />
      <Toolbar filters={filters} link={link} />
      <List
        label="Pages of portfolios"
        page={page}
        height={640}
        first={filters.after && link({ after: null })}
        next={(after) => link({ after })}
      >
        {({ portfolios }) => (
          <div class="card">
            <ListHead filters={filters} asked={asked} link={link} />
            {portfolios.length ? (
              <Lines people={portfolios} columns={columnsIn(filters.columns)} filters={filters} link={link} />
            ) : (
              <Nobody isFiltered={isFiltered} />
            )}
          </div>
        )}
      </List>
    </>
  );
}

interface Shown {
  filters: Filters<Name>;
  link: Link<Name>;
}

function ListHead({ filters, asked, link }: Shown & { asked: Filters<(typeof ASKED)[number]> }) {
  const columns = columnsIn(filters.columns);
  return (
    <div class="list-head">
      <p class="note">
        {columns.some((column) => OF_BACKTEST.includes(column.name)) &&
          "Volatility, drawdown and VaR are hypothetical: of today's holdings, held over the past."}
      </p>
      <div class="actions">
        <ColumnMenu shown={columns} onChange={(text) => replace(link({ columns: text }))} />
        <Download label="CSV" load={() => api.peopleFile(asked, CSV)} />
        <Download label="XLSX" load={() => api.peopleFile(asked, XLSX)} />
      </div>
    </div>
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

const SORTED = COLUMNS.flatMap(({ name, label, first }) => (first ? [{ name, label, first }] : []));

function Toolbar({ filters, link }: Shown) {
  const { status, complete, check: rule, check_status: result, sort, order } = filters;
  return (
    <PortfolioFilters
      chosen={{ status, complete, rule, result, sort, order }}
      columns={SORTED}
      onChange={(to) => go(link({ ...to, check: to.rule, check_status: to.result, after: null }))}
    >
      <Search
        label="ID, name or e-mail contains"
        kept={filters.q ?? ""}
        longest={LONGEST_SEARCH}
        onSearch={(q) => replace(link({ q, after: null }))}
      />
    </PortfolioFilters>
  );
}

function Lines({ people, columns, filters, link }: Shown & { people: Person[]; columns: Column[] }) {
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
            <Line key={person.user_id} person={person} columns={columns} from={nameOf(link({}))} />
          ))}
        </tbody>
      </table>
    </Scrollable>
  );
}

function Line({ person, columns, from }: { person: Person; columns: Column[]; from: string }) {
  const { tone, label } = REPORT_STATUS[person.status];
  return (
    <tr>
      <th scope="row">
        <PersonLink person={person} href={links.portfolio(person.run_id, person.user_id, { from })} />
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
