"""Doors: one module for each protocol by which samples come in.

A door is pure: bytes in, samples and refusals out. It opens no file and no socket, reads no clock, writes no log and
keeps nothing between two requests. What it reads are `Samples` (`samples.py`): names, seconds, values, and for counters
their kind and start time. What it cannot use is counted in `Refusals` under a `Reason` (`reasons.py`), the one
vocabulary of all doors, and costs no other sample.

Doors of two shapes:

- A *body* holds a whole request: `remote_write.parse(body, …)`, `influx.parse(body, …)` and so on return what the body
  says. `UnreadableBody` means that nothing of it can be used.
- A *stream* is cut by the network wherever it likes: `graphite_pickle.Reader.feed(data)` returns what is complete now.
  Any cut gives the same samples.

Names of all doors meet in one form, `base;key=value;key=value` with the tags sorted by key (`names.py`), so that a series
has one name whichever agent sends it.
"""
