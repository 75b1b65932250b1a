/** The report of one user in sections: value, what was really earned, risk, holdings, income, gains and advice. */

import type { ComponentChildren } from "preact";
import { isOfPerson } from "../api/audience";
import { api, isMissing } from "../api/client";
import type { PeoplePage } from "../api/people-types";
import type { Report } from "../api/types";
import { currencyName } from "../format";
import { Contents } from "../ui/contents";
import { Badge, Empty, Failure, Notice, PageHead, Section, Skeleton } from "../ui/parts";
import { PersonHeading } from "../ui/person";
import { AsOf } from "../ui/price-issues";
import { once, type Resource, useResource } from "../ui/resource";
import { kindOf } from "../words/errors";
import { plain } from "../words/people";
import { REPORT_STATUS } from "../words/reports";
import { hasIncome, hasLedger, Money } from "./money";
import { GainsCard } from "./money-gains";
import { IncomeCard } from "./money-income";
import { Advice } from "./portfolio-advice";
import { AllocationCard } from "./portfolio-allocation";
import { Changes } from "./portfolio-changes";
import { ReportFiles } from "./portfolio-files";
import { Holdings } from "./portfolio-holdings";
import { Quality } from "./portfolio-quality";
import { RiskCard, StressCard } from "./portfolio-risk";
import { SeriesCards } from "./portfolio-series";
import { Checks, Incomplete, Reason, Worth } from "./portfolio-summary";
import { trailOf, type View } from "./portfolio-view";

export function PortfolioPage({ runId, userId, view }: { runId: string; userId: string; view: View }) {
  const { value, error, reload } = useResource(`report ${runId} ${userId}`, () =>
    once(`report ${runId} ${userId}`, () => api.report(runId, userId)),
  );
  const person = useResource(`person ${userId}`, () => api.person(userId));
  const user = person.value?.users?.[0] ?? { user_id: userId, name: null, email: null };
  return (
    <>
      <PageHead
        title={plain(user.name) ?? userId}
        heading={<PersonHeading person={user} />}
        part={titleOf(view)}
        trail={trailOf(runId, view)}
        about={value && <About report={value} />}
        actions={value && <ReportFiles report={value} />}
      />
      {!value && error === null && <Skeleton height={900} />}
      {error !== null && isMissing(error) && (
        <Empty title="No report">
          This run has no report for this user. The user was not part of the run, it was a dry run, or its reports have
          been deleted.
        </Empty>
      )}
      {error !== null && !isMissing(error) && <Failure error={error} retry={reload} />}
      {value && <Sections report={value} view={view} person={person} />}
    </>
  );
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

const TITLES = {
  summary: "Summary",
  money: "Your money",
  risk: "Risk",
  holdings: "Holdings",
  income: "Income",
  gains: "Gains",
  advice: "Advice",
  quality: "Data quality",
};
type SectionName = keyof typeof TITLES;

/** Return the title of the section that an address names. */
export const titleOf = ({ section }: View): string | undefined => TITLES[section as SectionName];

interface SectionsProps {
  report: Report;
  view: View;
  /** The person in the newest night; none on the page of a person. */
  person?: Resource<PeoplePage> | undefined;
}

/** The sections of a report that have content, below the bar that leads to them. */
export function Sections({ report, view, person }: SectionsProps) {
  if (report.status === "failed") {
    const kind = kindOf(report.reason ?? "");
    return (
      <Notice tone="bad" title={kind.title}>
        {report.error} {kind.advice}
      </Notice>
    );
  }
  const contents = contentsOf({ report, view, person });
  const names = (Object.keys(TITLES) as SectionName[]).filter((name) => contents[name]);
  return (
    <>
      <Contents
        entries={names.map((name) => ({ name, label: TITLES[name], link: view.link({ section: name }) }))}
        asked={view.section}
      />
      {names.map((name) => (
        <Section key={name} name={name} title={TITLES[name]} isTitleHidden={name === "summary"}>
          {contents[name]}
        </Section>
      ))}
    </>
  );
}

/** Return the content of each section, null or false where there is none. */
function contentsOf({ report, view, person }: SectionsProps): Record<SectionName, ComponentChildren> {
  const isAnalyzed = report.status === "analyzed";
  return {
    summary: <Summary report={report} view={view} />,
    money: <Money report={report} view={view} person={person} />,
    risk: isAnalyzed && (report.performance ?? report.risk ?? report.stress) && (
      <RiskCards report={report} view={view} />
    ),
    holdings: isAnalyzed && report.holdings.length > 0 && (
      <>
        <Holdings report={report} view={view} />
        <AllocationCard report={report} />
      </>
    ),
    income: hasIncome(report) && <IncomeCard report={report} />,
    gains: hasLedger(report) && <GainsCard report={report} />,
    advice: isAnalyzed && <Advice report={report} />,
    quality: report.data_quality && <Quality quality={report.data_quality} />,
  };
}

function Summary({ report, view }: { report: Report; view: View }) {
  return (
    <>
      <Reason report={report} />
      <Incomplete report={report} />
      <Worth report={report} />
      {report.status === "analyzed" && (
        <div class="columns">
          <Checks checks={report.checks} />
          {!isOfPerson && <Changes report={report} view={view} />}
        </div>
      )}
    </>
  );
}

function RiskCards({ report, view }: { report: Report; view: View }) {
  return (
    <>
      {(report.risk || report.stress) && (
        <div class="columns">
          {report.risk && <RiskCard report={report} risk={report.risk} />}
          {report.stress && <StressCard stress={report.stress} currency={report.currency} />}
        </div>
      )}
      {report.performance && <SeriesCards report={report} performance={report.performance} view={view} />}
    </>
  );
}
