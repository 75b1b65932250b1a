/** The head of a column that a list can be sorted by. */

import { replace } from "../router";
import { Icon } from "./icons";

interface SortHeadProps {
  label: string;
  title?: string | undefined;
  class: string;
  /** The color of the column's bars. */
  swatch?: string | undefined;
  /** The order of the list, where it is sorted by this column. */
  order: string | null;
  /** The order of the first click: largest value first, deepest drawdown first. */
  first: "asc" | "desc";
  link: (order: "asc" | "desc") => string;
  /** Whether the page stays where it is, as one with other contents than the list. */
  inPlace?: boolean;
}

export function SortHead({ label, title, class: classes, swatch, order, first, link, inPlace }: SortHeadProps) {
  const next = order === null ? first : order === "asc" ? "desc" : "asc";
  const follow = (event: MouseEvent) => {
    if (inPlace && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      replace(link(next));
    }
  };
  return (
    <th scope="col" class={classes} aria-sort={order === null ? "none" : order === "asc" ? "ascending" : "descending"}>
      {swatch && <span class={`swatch ${swatch}`} />}
      <a href={link(next)} title={title} class={order === null ? "" : "sorted"} onClick={follow}>
        {label}
        {order !== null && <Icon name={order === "asc" ? "up" : "down"} size={13} />}
      </a>
    </th>
  );
}
