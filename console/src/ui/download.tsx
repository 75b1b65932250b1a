/** A button that downloads a file. The file is fetched, since a link could not carry the credential. */

import { useState } from "preact/hooks";
import { BusyButton } from "./busy-button";
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
      <BusyButton class="button" busy={busy} onClick={download}>
        <Icon name="down" size={16} /> {label}
      </BusyButton>
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
