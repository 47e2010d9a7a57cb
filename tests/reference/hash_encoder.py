"""Naive twin of the hash encoder."""

import math

from tests.reference.mixing import WORD, mix


def encode(timestamp, buckets, *, columns, value_bits, daytime_bits, day_parts, seed):
    """Return the columns, ascending and each once, of a value at a time."""
    bucket = math.floor(min(max(buckets, -1e15), 1e15))
    day = timestamp / 86400.0
    day_part = (day - math.floor(day)) * day_parts
    active = set()
    for bit in range(value_bits + daytime_bits):
        tile = math.floor(float(bucket + bit % value_bits) / value_bits)
        seen = mix(seed ^ mix(bit)) ^ (tile & WORD)
        if bit >= value_bits:
            phase = (bit - value_bits) / daytime_bits
            seen = mix(seen) ^ (math.floor(day_part + phase) % day_parts)
        active.add(mix(seen) % columns)
    return sorted(active)
