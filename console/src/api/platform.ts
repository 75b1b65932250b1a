/** The sign-in of the platform in front of the app (App Service authentication), where it is switched on. */

interface Principal {
  user_id?: string;
  id_token?: string;
  access_token?: string;
}

export interface PlatformUser {
  name: string;
  token: string;
}

/** The app writes into its page whether the platform signs people in. */
export const platformSignsIn =
  document.querySelector('meta[name="platform-sign-in"]')?.getAttribute("content") === "yes";

export const platformSignInUrl = `/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent(location.pathname)}`;

/** Give whom the platform has signed in, null where nobody is. */
export async function platformUser(): Promise<PlatformUser | null> {
  const answer = await fetch("/.auth/me", { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (!answer?.ok) {
    return null;
  }
  const told: unknown = await answer.json().catch(() => null);
  const principal: Principal | undefined = Array.isArray(told) ? told[0] : undefined;
  const token = principal?.id_token ?? principal?.access_token;
  return token ? { name: principal?.user_id ?? "you", token } : null;
}
