"""Incidents: alarms of several metrics that belong together, found from what is stored."""
