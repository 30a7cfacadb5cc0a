from __future__ import annotations

import pytest

from wsloc.errors import UsageError
from wsloc.running.shards import Shard, batch_length, count_batches, parse_shard


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_shards_share_all_batches_and_each_has_its_own(count: int) -> None:
    shares = [list(Shard(number, count).batches(10)) for number in range(1, count + 1)]
    assert sorted(batch for share in shares for batch in share) == list(range(10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_shard_is_written_as_it_is_read() -> None:
    assert parse_shard(" 2/4 ") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"
    assert parse_shard(None) == Shard()
    assert Shard().is_whole
    assert parse_shard("1/1").is_whole
    assert not Shard(2, 4).is_whole


@pytest.mark.parametrize(
    "text", ["", "2", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/2/3", "1.5/2", "1/99999999999"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard is I/N with I from 1 to N, such as 2/4, not "):
        parse_shard(text)


@pytest.mark.parametrize(("images", "size"), [(0, 4), (1, 4), (4, 4), (5, 4), (8, 4), (9, 1)])
def test_batches_hold_all_images(images: int, size: int) -> None:
    lengths = [batch_length(number, images, size) for number in range(count_batches(images, size))]
    assert sum(lengths) == images
    assert all(length == size for length in lengths[:-1])
    assert all(length > 0 for length in lengths)
    assert batch_length(len(lengths) + 1, images, size) == 0
