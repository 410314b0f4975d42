/** The icons: 16 px, 1.5 px stroke, one silhouette each. Owns no meaning: words stand beside every icon. */
import type { ReactNode } from "react";

const SHAPES = {
  stopped: (
    <>
      <rect x="4" y="4" width="8" height="8" rx="1.5" />
    </>
  ),
  starting: (
    <>
      <circle cx="8" cy="8" r="5.5" strokeDasharray="2.3 2.02" />
    </>
  ),
  awaiting_scan: (
    <>
      <path d="M2.5 5.5v-2a1 1 0 0 1 1-1h2M10.5 2.5h2a1 1 0 0 1 1 1v2M13.5 10.5v2a1 1 0 0 1-1 1h-2M5.5 13.5h-2a1 1 0 0 1-1-1v-2M4.8 8h6.4" />
    </>
  ),
  pairing: (
    <>
      <path d="M6.6 9.4l2.8-2.8M7.3 4.7l1.1-1.1a2.8 2.8 0 0 1 4 4l-1.1 1.1M8.7 11.3l-1.1 1.1a2.8 2.8 0 0 1-4-4l1.1-1.1" />
    </>
  ),
  connecting: (
    <>
      <path d="M8 2.5A5.5 5.5 0 1 1 2.5 8" />
    </>
  ),
  connected: (
    <>
      <circle cx="8" cy="8" r="6.25" fill="currentColor" stroke="none" />
      <path d="M5.3 8.2l1.9 1.9 3.5-4" stroke="var(--surface)" />
    </>
  ),
  degraded: (
    <>
      <path d="M1.5 8.2h2.8l1.8-4.7 3.4 9 1.8-4.3h3.2" />
    </>
  ),
  reconnecting: (
    <>
      <path d="M13.2 8.4A5.3 5.3 0 1 1 11.8 4.3M13.2 2.4v2.9h-2.9" />
    </>
  ),
  login_expired: (
    <>
      <path d="M4.2 2.5h7.6M4.2 13.5h7.6M5.4 2.5v2.1L8 8l2.6-3.4V2.5M5.4 13.5v-2.1L8 8l2.6 3.4v2.1" />
    </>
  ),
  passkey_required: (
    <>
      <circle cx="5.4" cy="10.6" r="2.8" />
      <path d="M7.4 8.6l5.8-5.8M10.6 5.4l2 2" />
    </>
  ),
  replaced: (
    <>
      <rect x="2.5" y="5.5" width="8" height="8" rx="1.5" />
      <path d="M5.5 3.8A1.3 1.3 0 0 1 6.8 2.5h5.4a1.3 1.3 0 0 1 1.3 1.3v5.4a1.3 1.3 0 0 1-1.3 1.3" />
    </>
  ),
  logged_out: (
    <>
      <path d="M6 2.5H4A1.5 1.5 0 0 0 2.5 4v8A1.5 1.5 0 0 0 4 13.5h2M10.5 11l3-3-3-3M13.2 8H6.5" />
    </>
  ),
  banned: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M8 4.7V8l2.3 1.5" />
    </>
  ),
  blocked: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M4 12l8-8" />
    </>
  ),
  outdated: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M8 10.9V5.3M5.7 7.5L8 5.2l2.3 2.3" />
    </>
  ),
  failed: (
    <>
      <path d="M8 2.5l6 10.6H2L8 2.5zM8 6.7v2.9M8 11.3v.1" />
    </>
  ),
  search: (
    <>
      <circle cx="7" cy="7" r="4.25" />
      <path d="M10.2 10.2l3.3 3.3" />
    </>
  ),
  plus: (
    <>
      <path d="M8 3.2v9.6M3.2 8h9.6" />
    </>
  ),
  more: (
    <>
      <path d="M3.6 8h.01M8 8h.01M12.4 8h.01" strokeWidth="2" />
    </>
  ),
  right: (
    <>
      <path d="M6 3.5L10.5 8 6 12.5" />
    </>
  ),
  down: (
    <>
      <path d="M3.5 6L8 10.5 12.5 6" />
    </>
  ),
  left: (
    <>
      <path d="M10 3.5L5.5 8l4.5 4.5" />
    </>
  ),
  pause: (
    <>
      <path d="M5.8 3.8v8.4M10.2 3.8v8.4" />
    </>
  ),
  play: (
    <>
      <path d="M5 3.4l7.2 4.6L5 12.6z" />
    </>
  ),
  filter: (
    <>
      <path d="M2.5 4h11M4.8 8h6.4M6.8 12h2.4" />
    </>
  ),
  copy: (
    <>
      <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
      <path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" />
    </>
  ),
  check: (
    <>
      <path d="M3.2 8.4l3.1 3.1 6.5-7" />
    </>
  ),
  checks: (
    <>
      <path d="M1 8.6l2.8 2.8 5.7-6.4M7 10.3l1.1 1.1L14.6 5" />
    </>
  ),
  clock: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M8 4.7V8l2.3 1.5" />
    </>
  ),
  alert: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M8 4.9v3.6M8 11v.1" />
    </>
  ),
  q: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M6.4 6.4a1.7 1.7 0 1 1 2.4 1.8c-.6.2-.8.5-.8 1M8 11.2v.1" />
    </>
  ),
  info: (
    <>
      <circle cx="8" cy="8" r="5.75" />
      <path d="M8 7.4v3.6M8 5v.1" />
    </>
  ),
  phone: (
    <>
      <rect x="4.5" y="1.8" width="7" height="12.4" rx="1.6" />
      <path d="M7.3 12h1.4" />
    </>
  ),
  msg: (
    <>
      <path d="M2.5 4A1.5 1.5 0 0 1 4 2.5h8A1.5 1.5 0 0 1 13.5 4v5.5A1.5 1.5 0 0 1 12 11H7l-3 2.5V11a1.5 1.5 0 0 1-1.5-1.5z" />
    </>
  ),
  send: (
    <>
      <path d="M13.5 2.5L7 9M13.5 2.5L9.4 13.6 7 9 2.4 6.6z" />
    </>
  ),
  x: (
    <>
      <path d="M4 4l8 8M12 4l-8 8" />
    </>
  ),
  bots: (
    <>
      <rect x="2.5" y="5" width="11" height="8" rx="2" />
      <path d="M8 5V2.4M5.7 8.6v.8M10.3 8.6v.8" />
    </>
  ),
  fleet: (
    <>
      <path d="M2.5 13.5V9M6.2 13.5V5.5M9.8 13.5V7.5M13.5 13.5v-11" />
    </>
  ),
  sun: (
    <>
      <circle cx="8" cy="8" r="2.6" />
      <path d="M8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M3.6 12.4l1-1M11.4 4.6l1-1" />
    </>
  ),
  term: (
    <>
      <path d="M3 5l3 3-3 3M8 11.5h5" />
    </>
  ),
  trash: (
    <>
      <path d="M3 4.5h10M6.3 4.5V3h3.4v1.5M4.3 4.5l.6 8.2a.9.9 0 0 0 .9.8h4.4a.9.9 0 0 0 .9-.8l.6-8.2" />
    </>
  ),
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof SHAPES;

/** An icon; decoration for whoever does not see it. */
export function Icon({ name, className = "" }: { readonly name: IconName; readonly className?: string }): ReactNode {
  return (
    <svg className={`i ${className}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {SHAPES[name]}
    </svg>
  );
}

/** The product's mark. */
export function Brand(): ReactNode {
  return (
    <svg viewBox="0 0 20 20" fill="none" aria-hidden="true" focusable="false">
      <circle cx="10" cy="10" r="8.2" stroke="currentColor" strokeWidth="1.6" />
      <circle cx="10" cy="10" r="2.6" fill="currentColor" />
      <circle cx="16.4" cy="4.8" r="2.6" fill="var(--ok-solid)" stroke="var(--surface)" strokeWidth="1.4" />
    </svg>
  );
}
