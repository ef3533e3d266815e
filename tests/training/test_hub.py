"""The hub: what is here is taken without asking, and a hub that does not answer costs no more than the time limit."""

import socket

from own_case import refused

from landscape_utils.training import hub


def test_what_is_here_needs_no_answer_and_a_hub_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    """It takes the connection and never replies. Left alone it is not asked, and after it all is as before."""
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "TIMEOUT", 0.2)
    monkeypatch.setattr(hub.constants, "ENDPOINT", "http://never.asked")
    with hub.left_alone(), refused("offline mode is enabled"):
        hub.fetched("a/b", ["*.json"], "")
    assert not hub.constants.HF_HUB_OFFLINE

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        with refused(r"model 'a/b' is not here .*from the hub \(.*\); go round"):
            hub.fetched("a/b", ["*.json"], "go round")
        here = tmp_path / "models--a--b" / "snapshots" / "1"
        here.mkdir(parents=True)
        (here / "config.json").write_text("{}")
        (tmp_path / "models--a--b" / "refs").mkdir()
        (tmp_path / "models--a--b" / "refs" / "main").write_text("1")
        assert hub.fetched("a/b", ["*.json"], "") == here
        with refused("is not here"):
            hub.fetched("a/b", ["*.json", "*.safetensors"], "")
        with refused("is not here"):
            hub.fetched("a/b", ["*.json"], "", needed=["config.json", "vocab.json"])
