"""How metrics lie in the store: packed blocks (ours) against a row each, a million points."""
import os
import subprocess
import tempfile

import harness

PEERS = {"rows": "a row each, WITHOUT ROWID", "indexed": "a row each, unique index"}


def figure(program, layout, keys, batch, which):
    """One of the figures that a run of the program prints."""
    def sample():
        with tempfile.TemporaryDirectory() as folder:
            arguments = [program, layout, str(keys), str(batch), os.path.join(folder, "m.db")]
            done = subprocess.run(arguments, stdout=subprocess.PIPE, check=True, text=True)
        return float(done.stdout.split()[which])
    return sample


def main():
    options = harness.options(__doc__)
    build = os.path.dirname(os.path.abspath(options.mlrt))
    subprocess.run(["cmake", "--build", build, "--target", "bench_layouts"],
                   stdout=subprocess.DEVNULL, check=True)
    program = os.path.join(build, "bench_layouts")
    cases = []
    for keys, batch in ((1, 10000), (20, 10000)):
        for layout, name in PEERS.items():
            for which, (what, unit) in enumerate((("written", "k/s"), ("size", "B/point"), ("history", "ms"))):
                cases.append(harness.Case(f"{what}, {keys} key{'s' * (keys > 1)}", unit,
                                          figure(program, "blocks", keys, batch, which),
                                          figure(program, layout, keys, batch, which), name, samples=3))
    harness.run("layouts", cases, options.json)


if __name__ == "__main__":
    main()
