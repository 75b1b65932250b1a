/** A button that downloads a file. The file is fetched, since a link could not carry the credential. */

import { useState } from "preact/hooks";
import { Icon } from "./icons";
import { Failure } from "./parts";

interface DownloadProps {
  label: string;
  /** The name of the file, without its extension. */
  name: string;
  extension: string;
  load: () => Promise<Blob>;
}

export function Download({ label, name, extension, load }: DownloadProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const download = async () => {
    setBusy(true);
    setError(null);
    try {
      save(await load(), `${name.replaceAll(/[^\w.-]+/g, "_")}.${extension}`);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class="button" onClick={download} disabled={busy} aria-busy={busy}>
        <Icon name="down" size={16} /> {label}
      </button>
      {error !== null && <Failure error={error} retry={download} />}
    </>
  );
}

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // Later, because the browser reads the address after this task.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
