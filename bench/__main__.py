"""``make bench``: every benchmark that the machine can run in a few minutes, one after the other."""

from bench import noop, train


def main() -> None:
    """Run the benchmarks; each prints its own figures."""
    noop.main()
    train.main()


if __name__ == "__main__":
    main()
