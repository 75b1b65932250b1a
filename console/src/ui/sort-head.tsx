/** The head of a column that a list can be sorted by. */

import { Icon } from "./icons";

interface SortHeadProps {
  label: string;
  class: string;
  /** The order of the list, where it is sorted by this column. */
  order: string | null;
  /** The order of the first click: largest value first, deepest drawdown first. */
  first: "asc" | "desc";
  link: (order: "asc" | "desc") => string;
}

export function SortHead({ label, class: classes, order, first, link }: SortHeadProps) {
  const next = order === null ? first : order === "asc" ? "desc" : "asc";
  return (
    <th scope="col" class={classes} aria-sort={order === null ? "none" : order === "asc" ? "ascending" : "descending"}>
      <a href={link(next)} class={order === null ? "" : "sorted"}>
        {label}
        {order !== null && <Icon name={order === "asc" ? "up" : "down"} size={13} />}
      </a>
    </th>
  );
}
