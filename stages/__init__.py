"""One module for each DVC stage, run as ``python -m stages.<name>`` from the project's root."""

import os

# Torch's OpenMP threads otherwise spin while they wait: on cores shared with anything else, 72 short
# answers took 72 CPU-seconds instead of 8. It is read when torch is first imported, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
