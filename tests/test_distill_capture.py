"""Capture: what is stored is what the teacher gave, each row once, and nothing else is ever trusted."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from stillhouse.base.byte_store import ByteStore
from stillhouse.base.errors import DriftError, InputError
from stillhouse.base.ids import content_id, md5_file
from stillhouse.base.runtime import Runtime
from stillhouse.distill import distributions
from stillhouse.distill.capture import Sources, capture_rows, open_store
from stillhouse.distill.distributions import (
    MANIFEST,
    Captured,
    Origin,
    open_earlier,
    read_distributions,
    write_distributions,
)
from stillhouse.distill.encode import Reading
from stillhouse.distill.loading import load_model
from tests.tiny import build_tiny_model

TEMPERATURES = (1.0, 3.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("teacher")
    build_tiny_model(place)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> PreTrainedModel:
    return load_model(folder)


@pytest.fixture
def origin(model: PreTrainedModel) -> Origin:
    vocabulary = model.config.vocab_size
    return Origin(
        "tiny", "w" * 64, "t" * 64, "c" * 64, "d" * 64, vocabulary, "prompt", 8, TEMPERATURES
    )


def make_rows(count: int, seed: int = 0) -> list[Reading]:
    """Rows of several lengths, most of them shared by some rows."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for number in range(count):
        length = int(torch.randint(6, 14, (1,), generator=generator))
        ids = tuple(torch.randint(5, 400, (length,), generator=generator).tolist())
        row_id = content_id("row", [seed, number])
        tokens_id = content_id("tokens", {"ids": list(ids), "start": length // 2})
        rows.append(Reading(row_id, tokens_id, ids, length // 2))
    return rows


def capture(
    rows: Sequence[Reading],
    origin: Origin,
    models: Sequence[PreTrainedModel],
    sources: Sources,
    threads: int = 2,
) -> tuple[dict[str, Captured], int]:
    runtime = Runtime(device="cpu", threads=threads)
    read, computed = capture_rows(rows, origin, lambda: models, sources, runtime)
    names = [row.row_id for row in rows]
    return dict(zip(names, read(names), strict=True)), computed


def write(
    place: Path, rows: Sequence[Reading], origin: Origin, model: PreTrainedModel, sources: Sources
) -> dict[str, str]:
    """Capture and write rows; return the md5 of each file."""
    read, _ = capture_rows(rows, origin, lambda: [model], sources, Runtime(device="cpu", threads=2))
    write_distributions(place, origin, rows, read)
    return {path.name: md5_file(path) for path in place.iterdir()}


def remember(place: Path) -> Sources:
    return Sources(ByteStore(place / "captured.sqlite"))


def test_what_is_stored_is_what_the_teacher_gave(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(9)
    found, computed = capture(rows, origin, [model], remember(tmp_path))
    assert computed == 9
    for row in rows:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([row.input_ids])).logits[0, row.start - 1 : -1]
        log_p = logits.double().log_softmax(-1)
        one = found[row.row_id]
        assert one.ids.shape == (row.tokens, 8)
        assert torch.allclose(one.log_probs.double(), log_p.gather(-1, one.ids), rtol=1e-3)
        assert (one.log_probs.double().exp().min(-1).values >= 0).all()
        others = log_p.scatter(-1, one.ids, -torch.inf)
        for place, temperature in enumerate(TEMPERATURES):
            wanted = (others / temperature).logsumexp(-1)
            assert torch.allclose(one.tails[:, place].double(), wanted, rtol=1e-5)


def test_a_row_is_computed_once_however_the_capture_was_cut(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(30)
    whole, _ = capture(rows, origin, [model], remember(tmp_path / "whole"), threads=1)
    parts = remember(tmp_path / "parts")
    assert capture(rows[:7], origin, [model], parts)[1] == 7
    found, computed = capture(rows, origin, [model], parts)
    assert computed == 23
    for name, one in whole.items():
        for field in fields(Captured):
            assert torch.equal(getattr(one, field.name), getattr(found[name], field.name))


def test_a_killed_capture_keeps_what_it_had(
    model: PreTrainedModel, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, sources = make_rows(30), remember(tmp_path)
    write_once, seen = sources.store.write, list[str]()

    def write_some(values: dict[str, bytes]) -> None:
        if len(seen) == 12:
            raise KeyboardInterrupt
        seen.extend(values)
        write_once(values)

    monkeypatch.setattr(sources.store, "write", write_some)
    with pytest.raises(KeyboardInterrupt):
        capture(rows, origin, [model], sources)
    monkeypatch.undo()
    assert capture(rows, origin, [model], sources)[1] == 18


def test_rows_of_an_earlier_version_are_taken_from_dvcs_cache(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(12)
    write(tmp_path / "then", rows, origin, model, remember(tmp_path / "a"))
    earlier = open_earlier(lambda name: tmp_path / "then" / name, origin)
    edited = [replace(rows[0], tokens_id="0" * 64), *rows[1:]]
    edited[1] = replace(rows[1], input_ids=(7, *rows[1].input_ids), start=rows[1].start + 1)
    sources = Sources(remember(tmp_path / "b").store, earlier)
    found, computed = capture(edited, origin, [model], sources)
    assert computed == 2
    assert len(found) == 12
    other = replace(origin, weights_sha256="v" * 64)
    assert open_earlier(lambda name: tmp_path / "then" / name, other) is None


def test_incremental_and_whole_captures_have_the_same_bytes(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(40)
    whole = write(tmp_path / "whole", rows, origin, model, remember(tmp_path / "a"))
    parts = remember(tmp_path / "b")
    capture(rows[5:20], origin, [model], parts)
    assert write(tmp_path / "parts", rows[::-1], origin, model, parts) == whole


@pytest.mark.parametrize("vocabulary", [1 << 16, 200_000])
def test_ids_of_any_vocabulary_come_back(origin: Origin, vocabulary: int, tmp_path: Path) -> None:
    wide = replace(origin, vocabulary=vocabulary)
    generator = torch.Generator().manual_seed(1)
    ids = torch.stack([torch.randperm(vocabulary, generator=generator)[:8] for _ in range(4)])
    ids[0, 0] = vocabulary - 1
    one = Captured(ids, torch.zeros(4, 8).half(), torch.zeros(4, 2), torch.zeros(4, 0, 0).half())
    write_distributions(tmp_path, wide, [Reading("a" * 64, "b" * 64, (1,) * 7, 3)], lambda _: [one])
    found = read_distributions(tmp_path, wide, {"a" * 64: "b" * 64}).of_row("a" * 64)
    assert torch.equal(found.ids, ids)


@pytest.mark.parametrize(("vocabulary", "id_bytes"), [(1 << 16, 2), (200_000, 3)])
def test_a_token_takes_the_bytes_that_are_promised(
    origin: Origin, vocabulary: int, id_bytes: int, tmp_path: Path
) -> None:
    tokens, k = 3000, 64
    wide = replace(origin, vocabulary=vocabulary, top_k=k)
    ids = torch.arange(k).expand(tokens, k)
    one = Captured(
        ids, torch.zeros(tokens, k).half(), torch.zeros(tokens, 2), torch.zeros(tokens, 0, 0).half()
    )
    write_distributions(
        tmp_path, wide, [Reading("a" * 64, "b" * 64, (1,) * (tokens + 1), 1)], lambda _: [one]
    )
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size / tokens <= (id_bytes + 2) * k + 16


def test_shards_stay_small_and_an_edit_changes_only_its_own(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributions, "_SHARD_TOKENS", 64)
    rows = [Reading(content_id("row", n), "t" * 64, (1,) * 5, 1) for n in range(500)]

    def give(row_ids: list[str]) -> list[Captured]:
        return [
            Captured(
                torch.full((4, 8), int(row_id[:4], 16) % 500),
                torch.zeros(4, 8).half(),
                torch.zeros(4, 2),
                torch.zeros(4, 0, 0).half(),
            )
            for row_id in row_ids
        ]

    write_distributions(tmp_path / "a", origin, rows, give)
    write_distributions(tmp_path / "b", origin, rows[1:], give)
    then, now = (
        {path.name: md5_file(path) for path in (tmp_path / name).glob("tokens-*")}
        for name in ("a", "b")
    )
    assert len(then) > 100
    changed = {name for name in then if now.get(name) != then[name]}
    assert changed == {f"tokens-{rows[0].row_id[:2]}.safetensors"}
    found = read_distributions(tmp_path / "a", origin, {row.row_id: "t" * 64 for row in rows})
    for row in rows:
        assert (found.of_row(row.row_id).ids == int(row.row_id[:4], 16) % 500).all()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("teacher", "other", "captured with teacher tiny"),
        ("weights_sha256", "v" * 64, "captured with teacher weights wwwwwwwwwwww"),
        ("tokenizer_sha256", "v" * 64, "captured with tokenizer tttttttttttt"),
        ("template_sha256", "v" * 64, "captured with chat template cccccccccccc"),
        ("teacher_template_sha256", "v" * 64, "captured with the teacher's chat template dddd"),
        ("vocabulary", 5, "captured with a vocabulary of"),
        ("reads", "passage", "captured with reads prompt"),
        ("top_k", 9, "captured with top k 8"),
        ("temperatures", (1.0, 2.0), r"captured with temperatures \(1.0, 3.0\)"),
        ("layers", (3,), r"captured with layers \(\)"),
    ],
)
def test_another_origin_is_refused_by_its_name(
    model: PreTrainedModel, origin: Origin, tmp_path: Path, name: str, value: object, said: str
) -> None:
    rows = make_rows(3)
    write(tmp_path / "out", rows, origin, model, remember(tmp_path))
    wanted = {row.row_id: row.tokens_id for row in rows}
    assert len(read_distributions(tmp_path / "out", origin, wanted).rows) == 3
    with pytest.raises(DriftError, match=said):
        read_distributions(tmp_path / "out", replace(origin, **{name: value}), wanted)


def test_rows_that_are_missing_or_have_other_tokens_are_refused(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    rows = make_rows(3)
    write(tmp_path / "out", rows, origin, model, remember(tmp_path))
    with pytest.raises(InputError, match="was not captured"):
        read_distributions(tmp_path / "out", origin, {"e" * 64: "f" * 64})
    with pytest.raises(DriftError, match="has other tokens"):
        read_distributions(tmp_path / "out", origin, {rows[0].row_id: rows[1].tokens_id})


@pytest.mark.parametrize("broken", [MANIFEST, "rows.parquet", "tokens-all.safetensors"])
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_a_torn_capture_is_one_sentence(
    model: PreTrainedModel, origin: Origin, tmp_path: Path, broken: str, how: str
) -> None:
    rows = make_rows(3)
    write(tmp_path / "out", rows, origin, model, remember(tmp_path))
    path = tmp_path / "out" / broken
    content = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        InputError, match=r"no captured distributions|cannot be read|not a readable Parquet"
    ):
        wanted = {row.row_id: row.tokens_id for row in rows}
        read_distributions(tmp_path / "out", origin, wanted).of_row(rows[0].row_id)


def test_an_empty_capture_loads_no_teacher(origin: Origin, tmp_path: Path) -> None:
    def refuse() -> list[PreTrainedModel]:
        raise AssertionError("a teacher was loaded for nothing")

    read, computed = capture_rows([], origin, refuse, remember(tmp_path), Runtime(device="cpu"))
    write_distributions(tmp_path / "out", origin, [], read)
    assert computed == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {MANIFEST, "rows.parquet"}
    assert read_distributions(tmp_path / "out", origin, {}).rows == {}


def test_several_teachers_give_the_mean_of_their_probabilities(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    build_tiny_model(tmp_path / "other", seed=5)
    other = load_model(tmp_path / "other")
    (row,) = rows = make_rows(1)
    found, _ = capture(rows, origin, [model, other], remember(tmp_path))
    with torch.inference_mode():
        tokens = torch.tensor([row.input_ids])
        each = [
            m(input_ids=tokens).logits[0, row.start - 1 : -1].double().softmax(-1)
            for m in (model, other)
        ]
    mean = (each[0] + each[1]) / 2
    one = found[row.row_id]
    assert torch.equal(one.ids, mean.topk(8).indices)
    assert torch.allclose(one.log_probs.double().exp(), mean.topk(8).values, rtol=5e-3)
    rest = mean.scatter(-1, one.ids, 0.0) ** (1 / 3)
    assert torch.allclose(one.tails[:, 1].double(), rest.sum(-1).log(), rtol=1e-5)


def test_hidden_states_are_those_of_the_layers_that_are_asked_for(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    width = model.config.hidden_size
    deep = replace(origin, layers=(0, 2), hidden=width)
    (row,) = rows = make_rows(1)
    write(tmp_path / "out", rows, deep, model, remember(tmp_path))
    read = read_distributions(tmp_path / "out", deep, {row.row_id: row.tokens_id})
    found = read.of_row(row.row_id).hidden
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([row.input_ids]), output_hidden_states=True)
    assert found.shape == (row.tokens, 2, width)
    for place, layer in enumerate((0, 2)):
        wanted = states.hidden_states[layer][0, row.start - 1 : -1]
        assert torch.allclose(found[:, place].float(), wanted, atol=2e-3)


def test_a_teacher_of_another_vocabulary_is_refused(
    model: PreTrainedModel, origin: Origin, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="the teacher tiny scores"):
        capture(make_rows(1), replace(origin, vocabulary=7), [model], remember(tmp_path))


def test_stores_of_origins_long_unused_are_removed(origin: Origin, tmp_path: Path) -> None:
    for number in range(9):
        open_store(tmp_path, replace(origin, top_k=number + 1)).write({"a": b"b"})
    assert len(list(tmp_path.glob("*.sqlite"))) == 5
