/** A person by name, ID and e-mail, which may be long and of any direction of text. */

import { visible } from "../words/people";

interface Named {
  user_id: string;
  name: string | null;
  email?: string | null;
}

export function PersonLink({ person, href }: { person: Named; href: string }) {
  return (
    <div class="person">
      <a class="clamped" href={href} title={person.name ?? undefined}>
        <bdi>{visible(person.name) ?? person.user_id}</bdi>
      </a>
      <PersonIds person={person} />
    </div>
  );
}

/** The name with the ID, or the ID alone, as the heading of a page. */
export function PersonHeading({ person: { user_id, name } }: { person: Named }) {
  const shown = visible(name);
  if (shown === null) {
    return <bdi>{user_id}</bdi>;
  }
  return (
    <>
      <bdi class="clamped" title={shown}>
        {shown}
      </bdi>{" "}
      <span class="sub">
        <bdi>{user_id}</bdi>
      </span>
    </>
  );
}

/** The ID and the e-mail, below the name. */
export function PersonIds({ person }: { person: Named }) {
  const ids = [visible(person.name) && person.user_id, visible(person.email ?? null)].filter((id) => id !== null);
  return ids.map((id) => (
    <span key={id} class="sub clamped">
      <bdi>{id}</bdi>
    </span>
  ));
}
