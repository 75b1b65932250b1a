/** The sign-in of the platform in front of the app (App Service authentication), where enabled. */

interface Principal {
  user_id?: string;
  id_token?: string;
  access_token?: string;
}

export interface PlatformUser {
  name: string;
  token: string;
}

/** Whether the platform's sign-in is enabled. The app writes this into its page. */
export const platformSignsIn =
  document.querySelector('meta[name="platform-sign-in"]')?.getAttribute("content") === "yes";

export const platformSignInUrl = `/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent(location.pathname)}`;

/** Return the user signed in by the platform; null without one. */
export async function platformUser(): Promise<PlatformUser | null> {
  const answer = await fetch("/.auth/me", { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (!answer?.ok) {
    return null;
  }
  const content: unknown = await answer.json().catch(() => null);
  const principal: Principal | undefined = Array.isArray(content) ? content[0] : undefined;
  const token = principal?.id_token ?? principal?.access_token;
  return token ? { name: principal?.user_id ?? "you", token } : null;
}
