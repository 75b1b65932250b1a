import { session } from "./api/session";
import { AuditLog } from "./pages/audit";
import { Deliveries } from "./pages/deliveries";
import { Overview } from "./pages/overview";
import { People } from "./pages/people";
import { PortfolioPage } from "./pages/portfolio";
import { isOfPeople, viewOf } from "./pages/portfolio-view";
import { Portfolios } from "./pages/portfolios";
import { RunPage } from "./pages/run";
import { Runs } from "./pages/runs";
import { SignIn, SignInAgain } from "./pages/sign-in";
import { Start } from "./pages/start";
import { links, type Place, usePlace } from "./router";
import { Empty, PageHead } from "./ui/parts";
import { Shell } from "./ui/shell";
import { useStore } from "./ui/store";
import { Toasts } from "./ui/toasts";

export function App() {
  const { signedIn, refusal } = useStore(session);
  const place = usePlace();
  // The address stays the same during sign-in, so that a link leads to its page afterward. A page whose session ended
  // stays behind the sign-in, with all that was entered.
  return (
    <>
      {(signedIn || refusal) && (
        <Shell place={areaOf(place)}>
          <Page place={place} />
        </Shell>
      )}
      {!signedIn && (refusal ? <SignInAgain /> : <SignIn />)}
      <Toasts />
    </>
  );
}

/** Return the area of the navigation that a place is in: for a portfolio, that of the list that led there. */
function areaOf({ path, query }: Place): string {
  return isOfPeople(query.get("from")) ? "portfolios" : (path[0] ?? "");
}

function Page({ place: { path, query } }: { place: Place }) {
  const [area, runId, what, userId, part] = path;
  // The key makes a page of another run a new page.
  switch (`${area ?? ""}/${path.length}`) {
    case "/0":
      return <Overview />;
    case "start/1":
      return <Start />;
    case "portfolios/1":
      return <People query={query} />;
    case "deliveries/1":
      return <Deliveries query={query} />;
    case "runs/1":
      return <Runs before={query.get("before")} />;
    case "audit/1":
      return <AuditLog before={query.get("before")} />;
  }
  if (area === "runs" && runId && path.length === 2) {
    return <RunPage key={runId} runId={runId} />;
  }
  if (area === "runs" && runId && what === "portfolios") {
    return userId ? (
      <PortfolioPage
        key={`${runId} ${userId}`}
        runId={runId}
        userId={userId}
        view={viewOf(runId, userId, query, part)}
      />
    ) : (
      <Portfolios key={runId} runId={runId} query={query} />
    );
  }
  return (
    <>
      <PageHead title="Page not found" />
      <Empty title="This page does not exist.">
        Go to the <a href={links.overview()}>overview</a>.
      </Empty>
    </>
  );
}
