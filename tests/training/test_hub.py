"""The hub is asked once, and a hub that does not answer costs no more than the time limit."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import datasets
import huggingface_hub
import pytest

from landscape_utils.training import hub


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Online until asked, and nothing remembered, before and after."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    hub._asked.cache_clear()
    yield
    hub._asked.cache_clear()


def offline() -> tuple[bool, bool]:
    return huggingface_hub.is_offline_mode(), datasets.config.HF_HUB_OFFLINE


@pytest.mark.parametrize(("status", "answers"), [(200, True), (403, False), (503, False)])
def test_a_hub_answers_if_it_says_yes(monkeypatch, status, answers):
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        assert hub.answers() is answers
        server.shutdown()
    assert offline() == (not answers, not answers)
    assert hub.answers() is answers  # remembered: the server is gone


def test_a_hub_that_says_nothing_is_given_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never replies
        monkeypatch.setattr(
            huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        monkeypatch.setattr(hub, "TIMEOUT", 0.2)
        assert hub.answers() is False
    assert offline() == (True, True)
    assert hub.answers() is False


def test_who_is_offline_on_purpose_is_not_asked(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: pytest.fail("asked"))
    assert hub.answers() is False


def test_left_alone_nothing_is_asked_and_after_it_all_is_as_before(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: pytest.fail("asked"))
    with hub.left_alone():
        assert hub.answers() is False
        assert offline() == (True, True)
    assert offline() == (False, False)
