"""What every benchmark shares: peers alternate in one run, and the figures are printed as ratios.

A case measures one quantity of ours and, where there is one, of a peer. Each sample of ours is followed
by one of the peer, so that whatever else the machine does meets both alike. The table gives minimum,
median and maximum; ratio, goal and verdict use the medians. A peer that is very slow is sampled less often.
"""
import argparse
import json
import signal
import statistics
import sys
import time

PEER_SECONDS = 60  # what the samples of a peer may take in one case


class Goal:
    """`text` is for readers; `test(ours, ratio)` decides on medians."""

    def __init__(self, text, test):
        self.text = text
        self.test = test


def at_most(limit, unit):
    return Goal(f"<= {limit:g} {unit}", lambda ours, ratio: ours <= limit)


def at_most_times(limit):
    """Ours is at most `limit` times the peer's."""
    return Goal(f"<= {limit:g}x peer", lambda ours, ratio: ratio <= limit)


def times_less(factor):
    """The peer's is at least `factor` times ours: for times, ours is that much faster."""
    return Goal(f"peer >= {factor:g}x", lambda ours, ratio: ratio * factor <= 1)


def at_least(limit, unit):
    return Goal(f">= {limit:g} {unit}", lambda ours, ratio: ours >= limit)


def times_more(factor):
    """Ours is at least `factor` times the peer's: for rates."""
    return Goal(f">= {factor:g}x peer", lambda ours, ratio: ratio >= factor)


class Case:
    def __init__(self, name, unit, ours, peer=None, peer_name="", goal=None, samples=20):
        self.name, self.unit, self.ours, self.peer = name, unit, ours, peer
        self.peer_name, self.goal, self.samples = peer_name, goal, samples


class Spread:
    def __init__(self, values):
        self.count = len(values)
        self.low, self.median, self.high = min(values), statistics.median(values), max(values)

    def __str__(self):
        if self.low == self.high:
            return f"{self.median:.3g}"
        return f"{self.low:.3g} / {self.median:.3g} / {self.high:.3g}"


def measure(case):
    ours, peers, peer_seconds = [], [], 0
    case.ours()  # the first one pays for cold caches
    if case.peer:
        started = time.monotonic()
        first = case.peer()
        if time.monotonic() - started > PEER_SECONDS:  # caches are not what it waits for
            peers, peer_seconds = [first], PEER_SECONDS
    for _ in range(case.samples):
        ours.append(case.ours())
        if case.peer and peer_seconds < PEER_SECONDS:
            started = time.monotonic()
            peers.append(case.peer())
            peer_seconds += time.monotonic() - started
    return Spread(ours), Spread(peers) if peers else None


def options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--mlrt", required=True, help="the executable to measure")
    parser.add_argument("--json", help="write the rows to this file")
    # One that is stopped ends as one that raises: with its servers stopped and its folders gone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return parser.parse_args()


def run(bench, cases, json_file=None):
    """Measures all cases, prints the table, writes the rows. Exits with 1 if a goal is not met.

    Each case is told on stderr once it is measured, so that a run that is stopped has said what it knew.
    """
    rows, table = [], [("case", "unit", "ours (min/median/max)", "peer (min/median/max)", "peer is",
                        "ratio ours/peer", "goal", "")]
    for case in cases:
        ours, peer = measure(case)
        ratio = ours.median / peer.median if peer else None
        met = case.goal.test(ours.median, ratio) if case.goal else None
        print(f"measured {case.name}: {ours} {case.unit}" + (f", {case.peer_name} {peer}" if peer else ""),
              file=sys.stderr, flush=True)
        rows.append({"bench": bench, "case": case.name, "unit": case.unit, "ours": ours.median,
                     "ours_min": ours.low, "ours_max": ours.high, "ours_samples": ours.count,
                     "peer": peer.median if peer else None, "peer_samples": peer.count if peer else 0,
                     "peer_name": case.peer_name or None,
                     "ratio": ratio, "goal": case.goal.text if case.goal else None, "met": met})
        table.append((case.name, case.unit, str(ours), str(peer) if peer else "", case.peer_name,
                      f"{ratio:.3g}" if ratio is not None else "", case.goal.text if case.goal else "",
                      "" if met is None else "met" if met else "NOT MET"))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    if json_file:
        with open(json_file, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
            file.write("\n")
    sys.exit(1 if any(row["met"] is False for row in rows) else 0)
