"""Scores, bands and alarms written back as series to other stores: Graphite, Prometheus' remote write, InfluxDB.

A service of its own, which is off until `[writeback]` in `application.conf` names a receiver. It reads what is stored, and how
far each receiver is stands in the repository: the engine does not wait for it, and nothing is lost while a receiver is away.
"""
