"""``make bench``: every benchmark that the machine can run in a few minutes, one after the other."""

from bench import noop, teachers, train


def main() -> None:
    """Run the benchmarks; each prints its own figures."""
    noop.main()
    teachers.main()
    train.main()


if __name__ == "__main__":
    main()
