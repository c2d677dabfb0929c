"""``make bench``: every benchmark that the machine can run in a few minutes, one after the other."""

from bench import judges, lineage, noop, quality, teachers, train


def main() -> None:
    """Run the benchmarks; each prints its own figures."""
    noop.main()
    teachers.main()
    lineage.main(["--rows", "10000,100000"])  # of a million rows alone: minutes
    quality.main()
    judges.main(["--no-model"])  # a model reads for minutes: alone
    train.main()


if __name__ == "__main__":
    main()
