/** A field that searches during typing, after a short pause. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";

const TYPING_MS = 250;

interface SearchProps {
  label: string;
  /** The text of the search that is shown. */
  kept: string;
  onSearch: (text: string | null) => void;
  longest?: number;
}

export function Search({ label, kept, onSearch, longest }: SearchProps) {
  const [text, setText] = useState(kept);
  // A filter chosen during typing must stay chosen.
  const latest = useRef(onSearch);
  latest.current = onSearch;
  const asked = useRef(kept);
  const search = () => {
    asked.current = text.trim();
    latest.current(asked.current || null);
  };
  // Another text than was asked for here replaces what is entered; before the next key is handled, which would be lost.
  useLayoutEffect(() => {
    if (kept !== asked.current) {
      asked.current = kept;
      setText(kept);
    }
  }, [kept]);
  useEffect(() => {
    if (text.trim() === kept) {
      return;
    }
    const timer = setTimeout(search, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, kept]);
  return (
    <label class="field search">
      <span>{label}</span>
      <span class="with-icon">
        <Icon name="search" size={16} />
        <input
          type="search"
          dir="auto"
          spellcheck={false}
          autocomplete="off"
          maxLength={longest}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") {
              event.preventDefault(); // the form around it is not sent
              search();
            }
          }}
        />
      </span>
    </label>
  );
}
