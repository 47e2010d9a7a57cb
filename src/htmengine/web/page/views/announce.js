/** Tells new incidents to screen readers: at most one a minute, and no lone alarms. */
import { setText } from "../lib/h.js";

const REST_MS = 60_000;
/** @type {Set<string>} */
const announced = new Set();
let last = -REST_MS;

/** @param {import("../shapes").Incident} incident */
export function announceIncident(incident) {
  if (incident.state !== "open" || incident.severity === "info" || announced.has(incident.id)) return;
  announced.add(incident.id);
  if (performance.now() - last < REST_MS) return;
  last = performance.now();
  const announcer = document.getElementById("announcer");
  if (announcer) setText(announcer, `New incident: ${incident.sentence}`);
}
