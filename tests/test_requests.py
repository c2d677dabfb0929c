"""Teacher calls that were derived from pairs are requests to whoever reads requests."""

from dataclasses import replace
from pathlib import Path

import pytest

from stillhouse.base.errors import InputError
from stillhouse.base.records import Request
from stillhouse.base.requests import DERIVED, REQUESTS, list_requests, read_requests
from stillhouse.base.tables import write_table
from tests.making import make_chunk, make_request

PLAIN = make_request([make_chunk()])
CHILD = replace(PLAIN, request_id="f" * 64, task="deeper", parent_id="a" * 64)


def test_requests_of_the_plan_come_before_those_derived_from_pairs(tmp_path: Path) -> None:
    write_table(tmp_path / REQUESTS, Request, [PLAIN])
    write_table(tmp_path / DERIVED, Request, [CHILD])
    assert list(read_requests(tmp_path)) == [PLAIN, CHILD]


def test_a_version_from_before_there_were_derived_requests_has_none(tmp_path: Path) -> None:
    write_table(tmp_path / REQUESTS, Request, [PLAIN])
    assert list_requests(tmp_path) == (tmp_path / REQUESTS,)
    assert list(read_requests(tmp_path)) == [PLAIN]


def test_a_lost_table_of_requests_is_an_error_and_not_no_request(tmp_path: Path) -> None:
    write_table(tmp_path / DERIVED, Request, [CHILD])
    with pytest.raises(InputError, match="file not found"):
        list(read_requests(tmp_path))
