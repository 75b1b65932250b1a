/** The choice of people for a run: found by name, or entered by ID. */

import { useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Person } from "../api/people-types";
import { count, counted } from "../format";
import { Icon } from "../ui/icons";
import { Empty, Failure, Skeleton } from "../ui/parts";
import { PersonIds } from "../ui/person";
import { useResource } from "../ui/resource";
import { Search } from "../ui/search";
import { visible } from "../words/people";
import { LONGEST_SEARCH } from "./people";

const MOST_FOUND = 6;
const MOST_PEOPLE = 1000;
const NAMED = 10;
const USER_ID = /^(?![.$])[^\p{C}\p{Z}/\\%<>]{1,128}$/u;

/** The people found and added, and the text with the IDs of others. */
export interface Chosen {
  people: Person[];
  text: string;
}

export const NOBODY: Chosen = { people: [], text: "" };

function idsIn(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

export const idsOf = (chosen: Chosen): string[] => [
  ...new Set([...chosen.people.map((person) => person.user_id), ...idsIn(chosen.text)]),
];

export function faultOf(chosen: Chosen): string | null {
  const ids = idsOf(chosen);
  if (ids.length === 0) {
    return "Find a person, or enter at least one user ID.";
  }
  if (ids.length > MOST_PEOPLE) {
    return `Choose at most ${counted(MOST_PEOPLE, "person", "people")}, or start a run for everybody.`;
  }
  const strange = idsIn(chosen.text).find((id) => !USER_ID.test(id));
  return strange ? `Invalid user ID: ${strange}` : null;
}

/** Return which of these cannot be analyzed: IDs that the backend does not have, and people who are not active. */
export async function unknownOf(ids: string[]): Promise<string | null> {
  const users = await api.users(ids);
  const known = new Set(users.map((user) => user.user_id));
  const missing = ids.filter((id) => !known.has(id));
  const inactive = users.filter((user) => !user.active).map((user) => user.user_id);
  const faults = [
    ...(missing.length ? [`${counted(missing.length, "ID")} not found: ${named(missing)}. Check the spelling.`] : []),
    ...(inactive.length ? [`Not active: ${named(inactive)}.`] : []),
  ];
  return faults.join(" ") || null;
}

function named(ids: string[]): string {
  const more = ids.length > NAMED ? ` and ${count(ids.length - NAMED)} more` : "";
  return ids.slice(0, NAMED).join(", ") + more;
}

interface PickerProps {
  chosen: Chosen;
  fault: string | null;
  onChange: (chosen: Chosen) => void;
}

export function PeoplePicker({ chosen, fault, onChange }: PickerProps) {
  const [query, setQuery] = useState("");
  const picker = useRef<HTMLDivElement>(null);
  const { people, text } = chosen;
  // The button with the focus goes away.
  const searchAgain = () => picker.current?.querySelector("input")?.focus();
  const add = (person: Person) => {
    setQuery("");
    onChange({ text, people: [...people.filter((one) => one.user_id !== person.user_id), person] });
    searchAgain();
  };
  const remove = (person: Person) => {
    onChange({ text, people: people.filter((one) => one !== person) });
    searchAgain();
  };
  return (
    <div class="picker" ref={picker}>
      <Search
        label="Find by ID, name or e-mail"
        kept={query}
        longest={LONGEST_SEARCH}
        onSearch={(found) => setQuery(found ?? "")}
      />
      {query && <Found query={query} onAdd={add} />}
      {people.length > 0 && (
        <ul class="chips" aria-label="Added people">
          {people.map((person) => (
            <Chip key={person.user_id} person={person} onRemove={() => remove(person)} />
          ))}
        </ul>
      )}
      <label class="field">
        <span>User IDs, separated by spaces, commas or line breaks</span>
        <textarea
          rows={3}
          spellcheck={false}
          value={text}
          aria-invalid={fault !== null}
          aria-describedby="ids-hint"
          onInput={(event) => onChange({ people, text: event.currentTarget.value })}
        />
        <small id="ids-hint" class={fault ? "bad-text" : ""} role={fault ? "alert" : undefined}>
          {fault ?? `${counted(idsOf(chosen).length, "person", "people")} selected`}
        </small>
      </label>
    </div>
  );
}

function Found({ query, onAdd }: { query: string; onAdd: (person: Person) => void }) {
  const { value, error, reload } = useResource(`found ${query}`, () => api.people({ q: query, limit: MOST_FOUND }));
  if (error !== null) {
    return <Failure error={error} retry={reload} />;
  }
  if (!value) {
    return <Skeleton height={60} label="Searching" />;
  }
  if (!value.portfolios.length) {
    return <Empty title="Nobody found">Only people of the newest night are found. Enter the ID of others below.</Empty>;
  }
  return (
    <>
      <p class="hidden" role="status">
        {counted(value.portfolios.length, "person", "people")} found
      </p>
      <ul class="found" aria-label="Found people">
        {value.portfolios.map((person) => (
          <li key={person.user_id}>
            <button type="button" onClick={() => onAdd(person)}>
              <bdi class="clamped">{visible(person.name) ?? person.user_id}</bdi>
              <PersonIds person={person} />
            </button>
          </li>
        ))}
      </ul>
      {value.next !== null && <p class="note">There are more. Enter more of the ID, name or e-mail.</p>}
    </>
  );
}

function Chip({ person, onRemove }: { person: Person; onRemove: () => void }) {
  const name = visible(person.name) ?? person.user_id;
  return (
    <li class="chip" title={person.user_id}>
      <bdi>{name}</bdi>
      <button type="button" class="icon-button" aria-label={`Remove ${person.user_id}`} onClick={onRemove}>
        <Icon name="close" size={14} />
      </button>
    </li>
  );
}
