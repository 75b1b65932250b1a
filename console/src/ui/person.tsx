/** A person by name, ID and e-mail, which may be long and of any direction of text. */

import { Fragment } from "preact";
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

/** The name, or else the ID, as the heading of a page; the ID and the e-mail are below it, in a line of their own. */
export function PersonHeading({ person }: { person: Named }) {
  const name = visible(person.name);
  return (
    <>
      <bdi class="clamped" title={name ?? undefined}>
        {name ?? person.user_id}
      </bdi>{" "}
      <span class="sub clamped">
        {idsOf(person).map((id, place) => (
          <Fragment key={id}>
            {place > 0 && " · "}
            <bdi>{id}</bdi>
          </Fragment>
        ))}
      </span>
    </>
  );
}

/** The ID and the e-mail, below the name. */
export function PersonIds({ person }: { person: Named }) {
  return idsOf(person).map((id) => (
    <span key={id} class="sub clamped">
      <bdi>{id}</bdi>
    </span>
  ));
}

/** Return what names a person beside the name: the ID, where it does not stand for the name, and the e-mail. */
function idsOf({ user_id, name, email }: Named): string[] {
  return [visible(name) && user_id, visible(email ?? null)].filter((id) => id !== null);
}
