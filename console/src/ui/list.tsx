/** A list of the API in pages: its filters in the address, and what stands in its place while it loads or fails. */

import type { ComponentChildren } from "preact";
import { Unreachable } from "../api/problem";
import { Failure, Pager, Skeleton } from "./parts";
import type { Resource } from "./resource";

export type Filters<Name extends string> = Record<Name, string | null>;
export type Link<Name extends string> = (changes: Partial<Filters<Name>>) => string;

export function filtersIn<Name extends string>(query: URLSearchParams, names: readonly Name[]): Filters<Name> {
  return Object.fromEntries(names.map((name) => [name, query.get(name)])) as Filters<Name>;
}

interface ListProps<Page extends { next: string | null }> {
  /** What the links to other pages lead through. */
  label: string;
  page: Resource<Page>;
  /** The height of a page while it loads. */
  height: number;
  /** The link to the first page; null on it. */
  first: string | null;
  next: (cursor: string) => string;
  children: (page: Page) => ComponentChildren;
}

export function List<Page extends { next: string | null }>(props: ListProps<Page>) {
  const { page, children } = props;
  const { value } = page;
  return (
    <>
      <Trouble resource={page} />
      {!value && page.error === null && <Skeleton height={props.height} />}
      {value && children(value)}
      {value && <Pager label={props.label} first={props.first} next={value.next && props.next(value.next)} />}
    </>
  );
}

/** Why data is missing or no longer new, unless the page says that all of it may be, without a connection. */
export function Trouble({ resource: { value, error, reload } }: { resource: Resource<unknown> }) {
  const isSaid = value !== null && error instanceof Unreachable;
  return error === null || isSaid ? null : <Failure error={error} retry={reload} />;
}

interface FilterProps {
  label: string;
  value: string | null;
  /** Values with their labels. */
  options: [string, string][];
  /** The label of the choice that filters nothing. */
  all?: string;
  disabled?: boolean;
  class?: string;
  onChange: (value: string) => void;
}

export function Filter({ label, value, options, all = "All", disabled, class: classes, onChange }: FilterProps) {
  return (
    <label class={`field ${classes ?? ""}`}>
      <span>{label}</span>
      <select value={value ?? ""} disabled={disabled} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{all}</option>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
