/** How senders are told where to send: one entry for each, by the door that it uses. */

/**
 * @typedef {object} Place
 * @property {string} host
 * @property {number} port of the door
 * @property {string} base address of this site, for doors over HTTP; it ends in "/"
 * @property {boolean} token whether senders need a token
 *
 * @typedef {object} Agent
 * @property {string} id
 * @property {string} title
 * @property {string} door id of the door, as `/doors` tells it
 * @property {string} file where the lines belong
 * @property {(place: Place) => string} lines
 * @property {string} [then] what to do after it
 */

/** @type {Agent[]} */
export const AGENTS = [
  {
    id: "self",
    title: "This machine",
    door: "graphite-text",
    file: "on this machine",
    lines: () => "htmengine up --self",
    then: "CPU, memory, disk and network of this machine, every 10 s, without an agent.",
  },
  {
    id: "collectd",
    title: "collectd",
    door: "graphite-text",
    file: "/etc/collectd/collectd.conf.d/htmengine.conf",
    lines: ({ host, port }) => `LoadPlugin write_graphite

<Plugin write_graphite>
  <Node "htmengine">
    Host "${host}"
    Port "${port}"
    Protocol "tcp"
    EscapeCharacter "_"
    LogSendErrors true
  </Node>
</Plugin>`,
    then: "systemctl restart collectd",
  },
  {
    id: "telegraf",
    title: "Telegraf",
    door: "graphite-text",
    file: "/etc/telegraf/telegraf.d/htmengine.conf",
    lines: ({ host, port }) => `[[outputs.graphite]]
  servers = ["${host}:${port}"]
  graphite_tag_support = true
  timeout = 5`,
    then: "systemctl restart telegraf",
  },
  {
    id: "prometheus",
    title: "Prometheus",
    door: "remote_write",
    file: "prometheus.yml",
    lines: ({ base, token }) => `remote_write:
  - url: ${base}api/v1/write${token ? "\n    authorization: {credentials: TOKEN}" : ""}`,
    then: "Counters become rates; buckets of histograms are left out.",
  },
  {
    id: "otel",
    title: "OpenTelemetry",
    door: "otlp",
    file: "environment of the program",
    lines: ({ base, token }) => `export OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=${base}v1/metrics
export OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf${token ? "\nexport OTEL_EXPORTER_OTLP_METRICS_HEADERS='Authorization=Bearer TOKEN'" : ""}`,
  },
  {
    id: "influx",
    title: "InfluxDB clients",
    door: "influx",
    file: "telegraf.conf, or any client of InfluxDB",
    lines: ({ base, token }) => `[[outputs.influxdb]]
  urls = ["${base.replace(/\/$/, "")}"]
  database = "any"${token ? '\n  password = "TOKEN"' : ""}`,
  },
  {
    id: "json",
    title: "curl",
    door: "json",
    file: "any shell",
    lines: ({ base, token }) => `curl ${base}api/v1/samples -H 'Content-Type: application/x-ndjson' \\${token ? "\n  -H 'Authorization: Bearer TOKEN' \\" : ""}
  --data-binary '{"name": "test.metric", "value": 42}'`,
    then: "One object a line; without a time it is now.",
  },
  {
    id: "relay",
    title: "carbon-c-relay",
    door: "graphite-text",
    file: "/etc/carbon-c-relay.conf",
    lines: ({ host, port }) => `cluster htmengine
  forward
    ${host}:${port}
  ;

# The relay's own statistics are no metrics to watch.
match ^carbon\\.relays\\.
  send to blackhole
  stop;

match *
  send to htmengine;`,
    then: "systemctl reload carbon-c-relay",
  },
  {
    id: "statsd",
    title: "StatsD daemon",
    door: "graphite-text",
    file: "config.js of the StatsD daemon",
    lines: ({ host, port }) => `{
  graphiteHost: "${host}",
  graphitePort: ${port},
  port: 8125,
  backends: ["./backends/graphite"],
  graphite: { legacyNamespace: false }
}`,
  },
  {
    id: "statsd-client",
    title: "StatsD clients",
    door: "statsd",
    file: "environment of the program, or its StatsD client's settings",
    lines: ({ host, port }) => `STATSD_HOST=${host}
STATSD_PORT=${port}`,
    then: "Over UDP or TCP, DogStatsD's tags, too; counts of a minute become rates.",
  },
  {
    id: "shell",
    title: "Shell",
    door: "graphite-text",
    file: "any shell",
    lines: ({ host, port }) => `echo "test.metric 42 $(date +%s)" | nc -q 1 ${host} ${port}`,
    then: "A line is: name, value, seconds since 1970.",
  },
  {
    id: "python",
    title: "Python",
    door: "graphite-text",
    file: "any program",
    lines: ({ host, port }) => `import socket, time

with socket.create_connection(("${host}", ${port})) as connection:
    connection.sendall(f"test.metric 42 {time.time():.0f}\\n".encode())`,
  },
];
