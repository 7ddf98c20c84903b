"""Who comes in, from where, with what, and what a viewer may do."""

from __future__ import annotations

import hmac
import warnings

import pytest
from starlette.websockets import WebSocketDisconnect

from verglas.web.app import create_app
from verglas.web.door import access
from verglas.web.door.access import AccessBook
from verglas.web.settings import WebSettings

with warnings.catch_warnings():  # httpx is about to be renamed
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

CHANGE = ("jobs", {"type": "Class2D", "values": {}, "action": "schedule"})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_without_a_token_nothing_of_the_project_is_told(locked):
    served, _ = locked
    for path in ("jobs", "overview", "nodes", "file?path=note.txt", "report"):
        answer = served.client.get(served.url(path))
        assert answer.status_code == 401 and "token" in answer.json()["error"]
    assert served.client.get("/api/openapi.json").status_code == 401


def test_operator_changes_and_viewer_looks(locked):
    served, book = locked
    operator, viewer = book.add("ada", "operator"), book.add("grace", "viewer")
    assert served.client.get(served.url("jobs"), headers=bearer(viewer)).status_code == 200
    refused = served.client.post(served.url(CHANGE[0]), json=CHANGE[1], headers=bearer(viewer))
    assert refused.status_code == 403 and "look but not change" in refused.json()["error"]
    body = {"type": "JoinStar", "values": {}}
    allowed = served.client.post(served.url("check"), json=body, headers=bearer(operator))
    assert allowed.status_code == 200


def test_who_changed_what_is_recorded(locked):
    served, book = locked
    token = book.add("ada", "operator")
    body = {"action": "alias", "text": "first"}
    url = served.url("jobs/Class2D/job006/action")
    assert served.client.post(url, json=body, headers=bearer(token)).status_code == 200
    events = served.client.get(served.url("events"), headers=bearer(token)).json()
    assert events[-1]["person"] == "ada" and "Class2D/job006/" in events[-1]["text"]


def test_a_wrong_an_expired_and_a_revoked_token_are_refused(locked):
    served, book = locked
    gone, late = book.add("gone", "viewer"), book.add("late", "viewer", days=-1)
    assert served.client.get(served.url("jobs"), headers=bearer(gone)).status_code == 200
    assert book.remove("gone") == 1
    for token in ("nonsense", "", late, gone):
        assert served.client.get(served.url("jobs"), headers=bearer(token)).status_code == 401


def test_every_entry_is_compared_in_constant_time(monkeypatch):
    book = AccessBook()
    tokens = [book.add(f"p{n}", "viewer") for n in range(5)]
    compared = []
    original = hmac.compare_digest
    monkeypatch.setattr(access.hmac, "compare_digest", lambda a, b: compared.append(a) or original(a, b))
    assert book.find(tokens[0]).name == "p0"
    assert len(compared) == 5, "the first hit must not end the comparison"
    assert book.find("no") is None and len(compared) == 10


def test_only_hashes_are_kept_and_only_the_owner_reads_them(tmp_path):
    book = AccessBook(tmp_path / "verglas" / "access.json")
    token = book.add("ada", "operator")
    assert token not in book.path.read_text()
    assert book.path.stat().st_mode & 0o077 == 0
    assert AccessBook(book.path).find(token).role == "operator"


def test_a_token_becomes_a_cookie_that_scripts_cannot_read(locked):
    served, book = locked
    token = book.add("ada", "operator")
    assert served.client.post("/api/session", json={"token": "wrong"}).status_code == 401
    answer = served.client.post("/api/session", json={"token": token})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert served.client.get(served.url("jobs")).status_code == 200  # by the cookie
    served.client.delete("/api/session")
    served.client.cookies.clear()
    assert served.client.get(served.url("jobs")).status_code == 401


def test_a_share_link_shows_one_project_and_ends(locked):
    served, book = locked
    operator = book.add("ada", "operator")
    made = served.client.post(served.url("share"), json={"days": 2}, headers=bearer(operator))
    token = made.json()["token"]
    assert served.client.get(served.url("jobs"), headers=bearer(token)).status_code == 200
    assert book.people[-1].expires_s is not None and book.people[-1].project == served.pid
    other = book.add("else", "viewer", project="another-000000")
    assert served.client.get(served.url("jobs"), headers=bearer(other)).status_code == 404
    assert served.client.get("/api/projects", headers=bearer(other)).json() == []


def test_share_links_are_listed_and_taken_back_by_operators(locked):
    served, book = locked
    operator = bearer(book.add("ada", "operator"))
    url = served.url("share")
    made = served.client.post(url, json={"name": "guest", "days": 2}, headers=operator).json()
    guest = bearer(made["token"])
    listed = served.client.get(url, headers=operator).json()
    assert [each["name"] for each in listed] == ["guest"] and 1.9 < listed[0]["days_left"] <= 2
    assert "token" not in str(listed)
    assert served.client.get(url, headers=guest).status_code == 403
    assert served.client.delete(f"{url}/guest", headers=guest).status_code == 403
    assert served.client.delete(f"{url}/ada", headers=operator).status_code == 404
    assert served.client.delete(f"{url}/guest", headers=operator).status_code == 200
    assert served.client.get(served.url("jobs"), headers=guest).status_code == 401
    assert served.client.get(served.url("jobs"), headers=operator).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "http://testserver:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_changes_from_other_pages_are_refused(served, headers):
    answer = served.client.post(served.url("reorder"), json={"names": []}, headers=headers)
    assert answer.status_code == 403


def test_changes_from_our_own_page_are_taken(served):
    headers = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
    answer = served.client.post(served.url("reorder"), json={"names": []}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_bodies_that_a_form_can_send_are_refused(served, kind):
    answer = served.client.post(
        served.url("reorder"), content=b'{"names": []}', headers={"content-type": kind}
    )
    assert answer.status_code == 415


def test_large_bodies_are_refused(served):
    answer = served.client.post(
        served.url("reorder"), content=b" " * (5 << 20), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413


def test_a_body_that_does_not_say_its_size_is_cut_off(served):
    def endless():
        yield b'{"names": ["'
        for _ in range(5):
            yield b"x" * (1 << 20)
        yield b'"]}'

    answer = served.client.post(
        served.url("reorder"), content=endless(), headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 413), answer.text


def test_a_name_pointed_at_this_machine_gets_no_answer(served):
    for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example"):
        answer = served.client.get(served.url("jobs"), headers={"host": host})
        assert answer.status_code == 421


def test_websockets_check_origin_and_token(served, locked):
    with served.client.websocket_connect(served.url("watch"), headers={"origin": "http://testserver"}):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        served.client.websocket_connect(served.url("watch"), headers={"origin": "http://evil.example"}),
    ):
        pass
    with pytest.raises(WebSocketDisconnect), locked[0].client.websocket_connect(locked[0].url("watch")):
        pass


def test_pages_may_not_be_framed_and_load_nothing_from_elsewhere(served):
    headers = served.client.get(served.url("jobs")).headers
    assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/verglas/api/session", "/api/session"])
def test_a_proxy_may_keep_or_cut_its_prefix(project, path):
    settings = WebSettings((project.root,), access=AccessBook(), root_path="/verglas")
    token = settings.access.add("ada", "operator")
    with TestClient(create_app(settings)) as client:
        assert client.get(path.replace("session", "projects")).status_code == 401
        answer = client.post(path, json={"token": token})
        assert answer.status_code == 200 and "path=/verglas" in answer.headers["set-cookie"].lower()
        assert client.get("/verglas/api/projects").status_code == 200  # by the cookie


def test_a_proxy_that_names_itself_must_be_allowed(project):
    hosts = frozenset({"localhost", "em.example.org"})
    settings = WebSettings((project.root,), needs_token=False, allowed_hosts=hosts)
    with TestClient(create_app(settings)) as client:
        for host, status in (("em.example.org", 200), ("em.example.com", 421)):
            assert client.get("/api/projects", headers={"host": host}).status_code == status
