"""``stillhouse pilot``: the pipeline on a fraction, before the whole is paid for."""
