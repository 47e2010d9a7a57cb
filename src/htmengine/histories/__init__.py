"""Histories of many metrics, read where they lie (Prometheus, VictoriaMetrics, Graphite, InfluxDB, files), and sent in."""
