from pathlib import Path

import numpy as np
import pytest

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.runtime import Runtime
from stillhouse.embedding.embed import DIMENSIONS, Embedder

RUNTIME = Runtime(device="cpu")
TEXTS = ["How many days of leave?", "Who signs the form?", "word " * 400, "", "Zeit für Tee"]


def test_a_vector_depends_on_its_text_alone():
    embedder = Embedder(RUNTIME)
    together = embedder.embed(TEXTS)
    alone = np.vstack([embedder.embed([text]) for text in TEXTS])
    assert together.shape == (len(TEXTS), DIMENSIONS)
    assert together.dtype == np.float32
    assert np.array_equal(together, alone)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_what_is_remembered_is_what_is_computed(tmp_path: Path):
    store = tmp_path / "embeddings.sqlite"
    fresh = Embedder(RUNTIME, store).embed(TEXTS[:3])
    again = Embedder(RUNTIME, store)
    assert np.array_equal(again.embed([*TEXTS[:3], TEXTS[0]])[:3], fresh)
    assert again._model is None  # nothing had to be computed


@pytest.mark.parametrize("broken", [b"no database at all" * 500, "torn", "folder"])
def test_a_memory_that_is_broken_counts_as_none(tmp_path: Path, broken: bytes | str):
    path = tmp_path / "embeddings.sqlite"
    if isinstance(broken, bytes):
        path.write_bytes(broken)
    elif broken == "folder":
        path.mkdir()
    else:
        first = ByteStore(path)
        first.write({str(n): bytes(4_000) for n in range(200)})
        first._database.close()
        path.write_bytes(path.read_bytes()[:4096] + b"x" * 600_000)
    store = ByteStore(path)
    assert store.read(["a"]) == {}
    store.write({"a": b"vector"})
    kept = {} if broken == "folder" else {"a": b"vector"}
    assert ByteStore(path).read(["a"]) == kept


def test_like_texts_lie_closer_than_unlike_ones():
    near, far, here = Embedder(RUNTIME).embed(
        ["How long is the notice period?", "What colour is the van?", "What notice must I give?"]
    )
    assert near @ here > 0.6 > 0.3 > far @ here
