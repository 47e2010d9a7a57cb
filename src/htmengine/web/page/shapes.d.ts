// Shapes of what the API answers; all times in seconds since 1970.

export type Range = [number, number];
export type State = "active" | "learning" | "silent" | "no_model" | "error" | "unmonitored";
export type Direction = "up" | "down" | "pattern";

export interface WhyNoScore { code: string; text: string; have?: number; need?: number; eta?: number | null }

export interface MetricRow {
  uid: string; name: string; tags: Record<string, string>; state: State;
  last: { rowid: number; time: number; value: number } | null;
  interval: number | null;
  log_score: number | null; max_1h: number | null; max_24h: number | null; one_in: number | null;
  alarms_24h: number; usual: Range | null; forecast: number | null; incident: string | null;
  snoozed_until: number | null; why_no_score: WhyNoScore | null;
  oddness?: number; cause?: string | null; direction?: Direction | null; since?: number | null; stored?: number; acknowledged_by?: string | null;
}

export interface Model { parameter_set: string; samples: number; generation: number; checkpoint_age_s: number | null }

export interface MetricDetail extends MetricRow {
  first: number | null; rows: number; unit: string | null; model: Model | null; doctor: string; needs_attention: boolean;
  refused: { reason: string; count: number; sample: string; cure: string | null }[];
}

export interface Page<T> { items: T[]; next: string | null; total?: number }

export interface Spark { spark: (number | null)[]; bars: (number | null)[]; low: number | null; high: number | null; bridge: number; usual?: Range | null }

/** Cells of `step` seconds, the last of which ends at `end`. */
export interface Sparks { step: number; end: number; items: Record<string, Spark> }

export interface Group { prefix: string; label: string; count: number; unusual: number; worst: number | null; uid: string | null }

export interface Overview {
  incidents_open: number; unusual: number; metrics: number; lag_s: number | null; engine: "well" | "trouble";
  troubles: { code: string; text: string; do: string | null }[]; calm_since: number | null;
  samples_total?: number; monitored?: number;
}

export interface Fleet { step: number; times: number[]; alarming: number[]; metrics: number[] }

export interface Ranked { uid: string; name: string; score: number; max: number; alarms: number; first: number | null }

export interface Alarm {
  uid: string; rowid: number; time: number; value: number; log_score: number; one_in: number | null;
  cause: string; channel: string; direction: Direction; forecast: number | null; usual: Range | null;
  foreseen: Range[]; alarms_before: number; last_alarm: number | null; sentence: string; verdict: string | null;
  channels?: Record<string, number | null>; name?: string; silenced_by?: string | null;
}

export interface Label {
  id: string; uid: string | null; match: string | null; from: number; to: number; kind: "normal" | "anomaly" | "ignore";
  note: string; by: string; created: number; expires: number | null; incident: string | null;
  how: "values" | "times" | "forget" | null; effective_rowid: number | null; silenced: number | null; last_silenced: number | null; undone: number | null;
  name: string | null; counts: boolean | null;
}

export interface PreviewedAlarm { rowid: number; time: number; value: number; log_score: number; cause: string | null; real: boolean }

/** What a teaching would have done. */
export interface LabelPreview {
  rows_replayed: number; seconds: number; from: number; reaches_span: boolean; would_silence: PreviewedAlarm[];
  of_these_called_real: number; would_add: PreviewedAlarm[]; effective_rowid: number; expires: number;
}

/** What would have been, had all that a model was taught counted from its span on. */
export interface TaughtPast { rows: number; seconds: number; from: number; first_rowid: number; gone: PreviewedAlarm[]; added: PreviewedAlarm[] }

/** A row that would have alarmed, had nobody taught that it is normal. */
export interface SilencedRow { rowid: number; time: number; value: number | null; log_score: number | null; label: string }

/** Something that was done to the fleet, such as a deployment. */
export interface FleetEvent { id: number; time: number; what: string; tags: string[]; data: string; by: string }

export interface IncidentMetric {
  uid: string; name: string; first: number; last: number; lag: number; max: number; cause: string; direction?: Direction;
}

export type Verdict = "true" | "false" | "not_mine";
export interface IncidentAction {
  action: "ack" | "snooze" | "resolve" | "comment" | "verdict"; by: string; at: number; note: string;
  until: number | null; verdict: Verdict | null;
}

/** A notice to a target. */
export interface Delivery {
  id: number; incident: string | null; target: string; rule: string; kind: string; severity: string;
  state: "pending" | "retrying" | "delivered" | "dead" | "suppressed"; reason: string | null;
  created: number; tries: number; due: number | null; done: number | null; title: string;
}

/** Somebody who is told. */
export interface Target {
  name: string; kind: string; settings: Record<string, string>; secrets: Record<string, string>;
  enabled: boolean; disabled_reason: string | null; last: Delivery | null;
}

/** A rule as alerts.toml has it; what is missing has its default. */
export interface AlertRule {
  name?: string; match?: string[]; exclude?: string[]; tags?: string[];
  min_score?: number | null; budget?: number | null; direction?: string | null;
  min_deviation?: { absolute?: number | null; percent?: number | null } | null; causes?: string[];
  at_least?: { rows?: number | null; metrics?: number | null } | null; active?: string[]; maintenance?: string[];
  severity?: string | null; cooldown?: string | null; targets?: string[];
}
/** A target and a window as alerts.toml has them. */
export interface WrittenTarget { name: string; kind: string; settings?: Record<string, any> }
export interface WrittenWindow { name: string; cron?: string; duration?: string; ical?: string; from?: string; to?: string; timezone?: string }
export interface WindowPreview { words: string; next: Range[] }
export interface AlertWindow { name: string; words: string; next: Range | null }
export interface AlertRules {
  text: string; path: string | null; fault: string | null; rules: AlertRule[] | null; windows: AlertWindow[];
  targets: string[]; written_targets: WrittenTarget[] | null; written_windows: WrittenWindow[] | null; maintenance: string[]; mode: string; max_age_s: number;
}
export interface BudgetCurve { points: { min_score: number; per_week: number }[]; weeks: number; min_score: number }
export interface AlertsPreview {
  messages: { incident: string; time: number; rule: string; severity: string; targets: string[]; resolved: number | null; metrics: number; alarms: number; max: number }[];
  silenced: Record<string, number>; incidents: number; first: number | null; thresholds: Record<string, number>; curve: BudgetCurve | null;
}

export interface Incident {
  id: string; state: "open" | "acknowledged" | "resolved" | "expired"; severity: "info" | "warning" | "critical";
  opened: number; changed: number; resolved: number | null;
  first_mover: { uid: string; name: string; time: number };
  metrics: IncidentMetric[]; metric_count: number; alarm_count: number; max: number; sentence: string; ack?: { by: string; at: number; note: string } | null;
  snoozed_until?: number | null; verdict?: { verdict: Verdict; by: string; at: number; note: string } | null;
  history?: IncidentAction[]; deliveries?: Delivery[];
  url: string | null; merged_into?: string | null;
}

export interface Data {
  uid: string; from: number | null; to: number | null; step: number | null; downsampled: boolean;
  columns: string[]; rows: (number | null)[][]; next_rowid: number | null;
}

export interface Session {
  version: string; token_needed: boolean; scopes: string[]; server_time: number; public_url: string | null;
  graphite_port: number | null; http_port: number; hostname: string; grafana_url?: string | null; record: string | null;
}

export interface Stage {
  id: string; title: string; state: "well" | "trouble" | "unknown"; rate_in: number | null; rate_out: number | null; rates?: number[];
  queued: number | null; lag_s: number | null; errors: number | null; restarts: number | null; up_s: number | null;
  text: string | null; do: string | null;
}

export interface Health {
  latency: { median_s: number; p99_s: number } | null; stages: Stage[];
  silent: { uid: string; name: string; expected_s: number; silent_s: number }[] | null;
  new_names: { name: string; time: number }[] | null;
  capacity: { metrics: number; possible: number; limit: string } | null;
  checkpoints: { last_age_s: number | null; saved: number } | null; versions: Record<string, string> | null; config: string[] | null;
  disk: { free_bytes: number; total_bytes: number } | null; findings: string[];
}

export interface Refusal { door: string; reason: string; count: number; sample: string; peer: string | null; last: number | null; cure: string | null }
export interface DeadLetter { id: string; queue: string; reason: string; time: number | null; size: number }
export interface Step { stage: string; state: "done" | "waiting" | "stopped"; time: number | null; text: string }

export interface Door {
  id: string; title: string; host: string; port: number; samples_10s: number | null; last_sample: number | null;
  last_refusal: { reason: string; sample: string | null; peer?: string | null; last?: number | null } | null; samples?: number;
}

export interface MonitorRule {
  name: string; pattern: string; monitor: boolean; limit: number | null; matches: number; examples: string[];
  action: "monitor" | "ignore" | "drop" | null; says: string; line: number;
}
export interface MonitorRules { rules: MonitorRule[]; default: MonitorRule | null; path: string | null; editable: boolean; text: string; fault: string | null }
export interface RulesPreview { rules: MonitorRule[]; would_monitor: number; would_leave: number; monitored: number; capacity: number | null }
export interface RuleWay {
  name: string; stored: string | null; action: "monitor" | "ignore" | "drop" | null;
  rules: { section: string; line: number; fits: string; says: string }[]; outcome: string;
}

/** What was found in a file; times in seconds since 1970. */
export interface Detection {
  title: string; summary: string; notes: string[]; value: string; threshold: number;
  /** Whether the incidents are some: else they are the strongest rows. */
  anomalous: boolean;
  columns: { time: number[] } & Record<string, (number | null)[]>;
  incidents: {
    start: number; end: number; peak: number; rows: number; line: number; value: number; log_score: number;
    one_in: number | null; usual: Range | null; forecast: number | null; cause: string | null; direction: Direction | null;
    reason: string | null; sentence: string | null;
  }[];
}

export interface Backtest {
  since: number; until: number;
  variants: {
    variant: string; metrics: number; alarms: number; incidents: number; notices: number; notices_a_week: number;
    labels: number; alarmed: number; found: number; recall: number | null; precision: number | null; delay_s: number | null;
  }[];
}
export interface Job { id: string; kind: string; state: "queued" | "running" | "done" | "failed" | "cancelled"; done: number; total: number | null; stage: string; started: number | null; result_url: string | null; error?: string | null }
export interface Token { id: string; name: string; scopes: string[]; created: number; last_used: number | null; by: string | null; token?: string }

/** `[uid, rowid, time, value, log_score, cause, …]`, in the order that `hello` told. */
export interface Result { uid: string; rowid: number; time: number; value: number; log_score: number | null; cause: string | null; direction?: Direction | null; one_in?: number | null }

declare global {
  // The one vendored library, a classic script.
  const uPlot: any;
}
