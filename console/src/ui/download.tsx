/** A button that downloads a file. The file is fetched, since a link could not carry the credential. */

import { useState } from "preact/hooks";
import { Icon } from "./icons";
import { Failure } from "./parts";

interface DownloadProps {
  label: string;
  load: () => Promise<File>;
}

export function Download({ label, load }: DownloadProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const download = async () => {
    if (busy) {
      return;
    }
    setBusy(true);
    setError(null);
    try {
      save(await load());
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <>
      {/* Not disabled while it is busy: it would lose the focus. */}
      <button type="button" class="button" onClick={download} aria-disabled={busy} aria-busy={busy}>
        <Icon name="down" size={16} /> {label}
      </button>
      {error !== null && <Failure error={error} retry={download} />}
    </>
  );
}

function save(file: File): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  // Later, because the browser reads the address after this task.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
