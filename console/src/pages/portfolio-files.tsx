/** The files of a report, for administrators and for the person it is about. */

import { api } from "../api/client";
import type { Report } from "../api/types";
import { Download } from "../ui/download";
import { Menu } from "../ui/menu";

export const CSV = "text/csv";
export const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const KINDS: [string, string][] = [
  ["PDF", "application/pdf"],
  ["HTML", "text/html"],
  ["XLSX", XLSX],
  ["CSV", CSV],
  ["JSON", "application/json"],
];

export function ReportFiles({ report }: { report: Report }) {
  return (
    <Menu label="Download" icon="down" class="files">
      {KINDS.map(([label, type]) => (
        <Download key={label} label={label} load={() => api.reportFile(report, type)} />
      ))}
    </Menu>
  );
}
