"""What Graphite's render API understands: targets, times, patterns of names, and functions over series.

Nothing here knows HTTP or the repository: `render.Source` is what series are read from.
"""
