/** A choice of one of a few views, as buttons side by side. */

export interface Option<Name extends string> {
  name: Name;
  label: string;
  /** What the label abbreviates. */
  title?: string;
}

interface ChoiceProps<Name extends string> {
  label: string;
  options: Option<Name>[];
  chosen: Name;
  onChoose: (name: Name) => void;
}

export function Choice<Name extends string>({ label, options, chosen, onChoose }: ChoiceProps<Name>) {
  return (
    <fieldset class="options">
      <legend class="hidden">{label}</legend>
      {options.map(({ name, label: text, title }) => (
        <button key={name} type="button" title={title} aria-pressed={name === chosen} onClick={() => onChoose(name)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}
