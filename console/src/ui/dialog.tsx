/** Asks before something is done. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Failure } from "./parts";

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  confirm: string;
  danger?: boolean;
  /** Does it; while that takes, nothing can be pressed, and where it fails the dialog stays and says so. */
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Left by way of `close`, after which the browser gives the focus back to what had it. */
export function Confirm(props: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => dialog.current?.showModal(), []);

  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await props.onConfirm();
      props.onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };

  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={props.onClose}>
      <h2 id="dialog-title">{props.title}</h2>
      <div class="dialog-text">{props.children}</div>
      {error !== null && <Failure error={error} />}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={() => dialog.current?.close()} disabled={busy}>
          Not now
        </button>
        <button
          type="button"
          class={`button ${props.danger ? "danger" : "primary"}`}
          onClick={confirm}
          disabled={busy}
          aria-busy={busy}
        >
          {props.confirm}
        </button>
      </div>
    </dialog>
  );
}
