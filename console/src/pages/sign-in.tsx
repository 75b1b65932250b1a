/** The sign-in: a page of its own, or over the page whose session ended. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isOfPerson } from "../api/audience";
import { enter, SESSION_OVER } from "../api/client";
import { type PlatformUser, platformSignInUrl, platformSignsIn, platformUser } from "../api/platform";
import { Problem } from "../api/problem";
import { type Credential, hasEnded, looksLikeToken, session } from "../api/session";
import { BusyButton } from "../ui/busy-button";
import { Notice } from "../ui/parts";
import { forgetAll } from "../ui/resource";
import { Brand } from "../ui/shell";
import { useStore } from "../ui/store";
import { ThemeButton } from "../ui/theme";
import { toast } from "../ui/toasts";

const CREDENTIAL = isOfPerson ? "token" : "secret or token";

const TITLE = "Sign in · Portfolio analysis";
const NO_COOKIES = "This browser keeps no cookies, so you are signed in only until you reload or close this page.";

const TITLES: Record<number, string> = {
  401: `Invalid ${CREDENTIAL}`,
  403: isOfPerson ? "Not active" : "Administrator role required",
  429: "Too many attempts",
  503: "Sign-in unavailable",
};

function titleOf(problem: Problem): string {
  return problem.kind === "session-over" ? problem.title : (TITLES[problem.status] ?? problem.title);
}

function textOf(problem: Problem): string {
  if (problem.kind === "session-over") {
    return "Sign in again to continue where you were.";
  }
  switch (problem.status) {
    case 401:
      return `The ${CREDENTIAL} is incorrect or has expired. Make sure that you copied all of it.`;
    case 403:
      return isOfPerson
        ? problem.message
        : "The token is valid, but this account is not an administrator of this app. Ask an administrator for the role.";
    case 429:
      return `Too many failed sign-ins from this address. Wait ${problem.retryAfter ?? 60} seconds, then try again.`;
    default:
      return problem.message;
  }
}

export function SignIn() {
  useEffect(() => {
    document.title = TITLE;
  }, []);
  return (
    <main class="sign-in">
      <SignInCard />
    </main>
  );
}

/** The same over the page, which is covered and cannot be used meanwhile, but keeps what was entered. */
export function SignInAgain() {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = dialog.current;
    const title = document.title;
    document.title = TITLE;
    element?.showModal();
    return () => {
      document.title = title;
      element?.close(); // so that the browser returns the focus to the previous element
    };
  }, []);
  // For browsers that do not know `closedby`, and close it at Escape.
  const stay = () => dialog.current?.showModal();
  return (
    <dialog ref={dialog} class="sign-in" aria-labelledby="sign-in" closedby="none" onClose={stay}>
      <SignInCard />
    </dialog>
  );
}

function SignInCard() {
  const { refusal } = useStore(session);
  const [error, setError] = useState<unknown>(refusal ?? (hasEnded() ? SESSION_OVER : null));
  const [busy, setBusy] = useState(false);

  useEffect(forgetAll, []);

  const attempt = async (credential: Credential, keep: boolean) => {
    setBusy(true);
    setError(null);
    try {
      const signedIn = await enter(credential, keep);
      if (signedIn.by === "credential" && !isOfPerson) {
        toast(NO_COOKIES);
      }
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };

  return (
    <div class="sign-in-card">
      <div class="sign-in-head">
        <Brand />
        <ThemeButton />
      </div>
      <h1 id="sign-in">Sign in</h1>
      <p class="note">
        {isOfPerson ? "To see your own portfolio." : "For administrators of the nightly portfolio analysis."}
      </p>
      <Refusal error={error} />
      {platformSignsIn && <PlatformSignIn attempt={attempt} busy={busy} />}
      <SecretForm attempt={attempt} busy={busy} />
    </div>
  );
}

function Refusal({ error }: { error: unknown }) {
  if (error === null) {
    return null;
  }
  return error instanceof Problem ? (
    <Notice tone={error.status === 429 ? "warning" : "bad"} title={titleOf(error)}>
      {textOf(error)}
    </Notice>
  ) : (
    <Notice tone="bad" title="No connection">
      The app is not responding. Check your network connection.
    </Notice>
  );
}

interface FormProps {
  attempt: (credential: Credential, keep: boolean) => Promise<void>;
  busy: boolean;
}

function SecretForm({ attempt, busy }: FormProps) {
  const [value, setValue] = useState("");
  const [keep, setKeep] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const secret = value.trim().replace(/^Bearer\s+/i, "");
    if (secret) {
      const kind = isOfPerson || looksLikeToken(secret) ? "token" : "secret";
      void attempt({ kind, value: secret, byPlatform: false }, keep);
    }
  };
  return (
    <form onSubmit={submit}>
      <label class="field">
        <span>{isOfPerson ? "Bearer token" : "Admin secret or bearer token"}</span>
        <input
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>
      {isOfPerson && (
        <label class="choice">
          <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.currentTarget.checked)} />
          <span>
            Stay signed in
            <small>Until this tab is closed. Otherwise, reloading the page signs you out.</small>
          </span>
        </label>
      )}
      <BusyButton type="submit" class="button primary wide" busy={busy}>
        Sign in
      </BusyButton>
    </form>
  );
}

function PlatformSignIn({ attempt, busy }: FormProps) {
  const [user, setUser] = useState<PlatformUser | null>(null);
  useEffect(() => {
    void platformUser().then(setUser);
  }, []);
  return (
    <>
      {user ? (
        <BusyButton
          class="button primary wide"
          busy={busy}
          onClick={() => attempt({ kind: "token", value: user.token, byPlatform: true }, false)}
        >
          Continue as {user.name}
        </BusyButton>
      ) : (
        <a class="button primary wide" href={platformSignInUrl}>
          Sign in with your organization
        </a>
      )}
      <p class="or">or</p>
    </>
  );
}
