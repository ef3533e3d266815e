"""The hub: what is here is taken without asking, and a hub that does not answer costs no more than the time limit."""

import socket

import pytest
from own_case import refused

from landscape_utils.training import hub


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A hub that takes the connection and never replies, and an empty cache."""
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(hub.constants, "ENDPOINT", address)
        yield tmp_path


def test_what_is_here_needs_no_answer_and_a_hub_that_says_nothing_is_given_up(silent):
    with refused(r"model 'a/b' is not here .*from the hub \(.*\); go round"):
        hub.fetched("a/b", ["*.json"], "go round")
    here = silent / "models--a--b" / "snapshots" / "1"
    here.mkdir(parents=True)
    (here / "config.json").write_text("{}")
    (silent / "models--a--b" / "refs").mkdir()
    (silent / "models--a--b" / "refs" / "main").write_text("1")
    assert hub.fetched("a/b", ["*.json"], "") == here
    with refused("is not here"):
        hub.fetched("a/b", ["*.json", "*.safetensors"], "")
    with refused("is not here"):
        hub.fetched("a/b", ["*.json"], "", needed=["config.json", "vocab.json"])


def test_left_alone_nothing_is_asked_and_after_it_all_is_as_before(silent, monkeypatch):
    monkeypatch.setattr(hub.constants, "ENDPOINT", "http://never.asked")
    with hub.left_alone(), refused("offline mode is enabled"):
        hub.fetched("a/b", ["*.json"], "")
    assert not hub.constants.HF_HUB_OFFLINE
