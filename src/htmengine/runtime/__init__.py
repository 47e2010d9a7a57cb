"""The services of the pipeline, from a line to a published score."""
