/** A confirmation dialog. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { BusyButton } from "./busy-button";
import { Failure } from "./parts";

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  confirm: string;
  /** The label of the button that closes the dialog without action. */
  dismiss?: string;
  danger?: boolean;
  /** Performs the action. The buttons do nothing until it ends; on failure, the dialog stays open and shows the error. */
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Closed with `close()`, so that the browser returns the focus to the previous element. */
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
      dialog.current?.close();
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
        <BusyButton class="button" busy={busy} onClick={() => dialog.current?.close()}>
          {props.dismiss ?? "Cancel"}
        </BusyButton>
        <BusyButton class={`button ${props.danger ? "danger" : "primary"}`} busy={busy} onClick={confirm}>
          {props.confirm}
        </BusyButton>
      </div>
    </dialog>
  );
}
