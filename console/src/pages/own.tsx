/** The page of one person: the own report of the newest night, and what was really earned. */

import { api, isMissing, leave } from "../api/client";
import { session } from "../api/session";
import { usePlace } from "../router";
import { Icon } from "../ui/icons";
import { Empty, Failure, PageHead, Skeleton } from "../ui/parts";
import { once, useResource } from "../ui/resource";
import { Brand } from "../ui/shell";
import { useStore } from "../ui/store";
import { ThemeButton } from "../ui/theme";
import { Toasts } from "../ui/toasts";
import { About, Sections, titleOf } from "./portfolio";
import { ReportFiles } from "./portfolio-files";
import { type View, viewOf } from "./portfolio-view";
import { SignIn } from "./sign-in";

const KEY = "own report";

export function OwnPage() {
  const { signedIn } = useStore(session);
  const { path, query } = usePlace();
  return (
    <>
      {signedIn ? <Own view={viewOf("", "", query, path[0])} /> : <SignIn />}
      <Toasts />
    </>
  );
}

function Own({ view }: { view: View }) {
  const { value, error, reload } = useResource(KEY, () => once(KEY, api.ownReport));
  return (
    <>
      <header class="own-head">
        <Brand />
        <div class="side-foot">
          <ThemeButton />
          <button type="button" class="icon-button" onClick={leave} aria-label="Sign out" title="Sign out">
            <Icon name="leave" />
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <PageHead
          title="Your portfolio"
          part={titleOf(view)}
          about={value && <About report={value} />}
          actions={value && <ReportFiles report={value} />}
        />
        {!value && error === null && <Skeleton height={900} />}
        {error !== null && isMissing(error) && (
          <Empty title="No report yet">Your portfolio has not been analyzed. Come back after the next night.</Empty>
        )}
        {error !== null && !isMissing(error) && <Failure error={error} retry={reload} />}
        {value && <Sections report={value} view={view} />}
      </main>
    </>
  );
}
