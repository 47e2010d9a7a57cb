"""Time series in files: reading them row by row, and writing their scores.

A row that cannot be used is counted with its reason and skipped; it never changes what another row gives.
"""
