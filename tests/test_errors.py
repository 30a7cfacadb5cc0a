from __future__ import annotations

import inspect
import pickle

import pytest

from wsloc import errors

ALL = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}


def test_the_family_is_what_the_docstring_draws() -> None:
    drawn = {line.split("──")[1].split()[0] for line in (errors.__doc__ or "").splitlines() if "──" in line}
    assert len(drawn) > 5
    assert set(ALL) == drawn | {"WslocError"}


@pytest.mark.parametrize("name", list(ALL))
def test_every_error_is_wslocs_own(name: str) -> None:
    kind = ALL[name]
    assert issubclass(kind, errors.WslocError)
    assert name.endswith("Error")
    assert kind.__doc__
    again = pickle.loads(pickle.dumps(kind("photo.jpg: is not there")))  # noqa: S301 - as workers send it
    assert type(again) is kind
    assert str(again) == "photo.jpg: is not there"
