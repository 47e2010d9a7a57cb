"""How rows and scores are kept in a SQLite file: appended in runs, merged, and compressed; `metric_data` is a view of all.

A row that is inserted where its metric's other rows lie dirties a page of its own. So rows are appended to a run, which is in
the order of its metrics, but so small that neighbouring metrics share pages; and many rows of a metric are merged at a time. Those that hardly change any more become blocks.
"""
