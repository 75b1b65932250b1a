/** Icons beside text. They are decorative: the text has the same information. */

const PATHS = {
  overview: "M3 12l9-8 9 8M5.5 10v9.5h13V10M10 19.5v-5.5h4v5.5",
  runs: "M4 6h16M4 12h16M4 18h10",
  people:
    "M9 4a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M15.5 4.3a3.5 3.5 0 010 6.4M17.5 14.4c2.4.8 4 2.9 4 5.6",
  send: "M3.5 11.5L20.5 4l-5.5 16.5-3.5-7zM11.5 13.5L20.5 4",
  columns: "M4 5h16v14H4zM9.5 5v14M14.5 5v14",
  audit: "M6 3.5h9l4 4v13H6zM14.5 3.5v4.5H19M9 12.5h7M9 16h5",
  play: "M7 4.5l12 7.5-12 7.5z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  warning: "M12 4L2.8 19.5h18.4zM12 10v4.5M12 17.2v.1",
  error: "M12 3a9 9 0 100 18 9 9 0 000-18zM9 9l6 6M15 9l-6 6",
  stopped: "M12 3a9 9 0 100 18 9 9 0 000-18zM8.5 12h7",
  running: "M12 3a9 9 0 109 9",
  clock: "M12 3a9 9 0 100 18 9 9 0 000-18zM12 7.5V12l3 2",
  heart: "M3 12h4l2.5-6 4 12 2.5-6h5",
  next: "M9 5l7 7-7 7",
  back: "M15 5l-7 7 7 7",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 119.5 4a7 7 0 0010.5 10.5z",
  screen: "M3.5 5h17v11h-17zM9 20h6M12 16v4",
  leave: "M14 4h5.5v16H14M10 8l-4 4 4 4M6 12h9",
  close: "M6 6l12 12M18 6L6 18",
  search: "M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L20 20",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
