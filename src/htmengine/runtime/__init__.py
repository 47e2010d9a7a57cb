"""The services of the road, from a line to a published score."""
