"""No page says anything in the browser's own console, breaks its content policy, or asks another server."""

from urllib.parse import urlsplit


def test_pages_are_quiet_and_ask_nobody_else(pages, server, context):
    page = context().new_page()
    said, asked = [], []
    where = {"path": ""}
    page.on("console", lambda m: said.append((where["path"], m.type, f"{m.text} {m.location.get('url', '')}")))
    page.on("pageerror", lambda error: said.append((where["path"], "pageerror", str(error))))
    page.on("requestfailed", lambda request: said.append((where["path"], "failed", f"{request.url} {request.failure}")))
    page.on("request", lambda request: asked.append(request.url))
    for path in pages:
        where["path"] = path
        page.goto(server.url(path))
        # Long enough for what a page starts by itself; its stream of events ends with the page.
        page.wait_for_timeout(150)
    # A stream that is left breaks off; what Chromium only remarks on is no fault.
    expected = [entry for entry in said if "ERR_ABORTED" in entry[2] or entry[1] == "verbose"]
    assert [entry for entry in said if entry not in expected] == []
    own = urlsplit(server.origin).netloc
    others = {url for url in asked if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc != own}
    assert others == set()


def test_an_inline_script_is_kept_out(server, context):
    page = context().new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(server.url("/console/design"))
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
    assert page.evaluate("window.ran ?? null") is None
    assert any("Content Security Policy" in text or "content security policy" in text.lower() for text in said), said
