"""NAB's score of one threshold, as a naive twin: file by file, record by record."""

import math


def sigma(position):
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


def raw_score(count, windows, probation, detected, profile):
    """Score one file of ``count`` records; ``detected(i)`` tells whether record i is a detection."""
    true_positive, false_positive, false_negative = profile
    total = 0.0
    missed = set(windows)
    for i in range(probation, count):
        if not detected(i):
            continue
        inside = [window for window in windows if window[0] <= i <= window[1]]
        before = [window for window in windows if window[1] < i]
        if inside:
            first, last = inside[0]
            if inside[0] in missed:
                missed.remove(inside[0])
                total += true_positive * sigma(-(last - i + 1) / (last - first + 1)) / sigma(-1)
        elif before:
            first, last = before[-1]
            total += false_positive * sigma((i - last) / (last - first))
        else:
            total -= false_positive
    return total - false_negative * len(missed)


def score(files, scores, threshold, profile):
    """Score files of (count, windows, probation), scaled to 0 for no detection and 100 for perfect ones."""
    total = sum(
        raw_score(*file, lambda i, own=own: own[i] >= threshold, profile)
        for file, own in zip(files, scores, strict=True)
    )
    windows = sum(len(file[1]) for file in files)
    worst = -profile[2] * windows
    return 100 * (total - worst) / (profile[0] * windows - worst)
