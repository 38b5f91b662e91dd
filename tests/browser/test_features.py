"""What people do in the console, from the first click to what it changes."""

import re

from playwright.sync_api import expect

CARD = "4111 1111 1111 1111"


def test_first_steps_lead_to_a_verified_receipt(start_demo, browser):
    server, page = start_demo()
    page.goto(server.url("/console/guide"))
    page.get_by_role("button", name=re.compile("Send")).first.click()
    expect(page.locator("main")).to_contain_text("CREDIT_CARD")
    page.get_by_role("button", name=re.compile("Verify")).first.click()
    expect(page.locator("main")).to_contain_text("signed by this log's key")


def test_the_live_page_shows_an_exchange_while_it_happens(server, admin_page):
    admin_page.goto(server.url("/console/live"))
    rows = admin_page.locator("#live-rows tr")
    before = rows.count()
    expect(admin_page.locator("main")).to_contain_text("Live")
    admin_page.wait_for_timeout(500)
    exchange = server.chat(server.things["secret"], f"a card that just came: {CARD}")
    row = admin_page.locator("#live-rows").get_by_role("link", name=re.compile(exchange[-6:])).or_(
        admin_page.locator(f"#live-rows a[href$='{exchange}']")
    )
    expect(row.first).to_be_visible()
    assert rows.count() > before or before >= 50
    assert CARD not in admin_page.content(), "no value in a row"


def test_an_exchange_says_what_was_replaced_and_shows_it_on_record_only(server, admin_page):
    admin_page.goto(server.url(f"/console/exchanges/{server.things['exchange']}"))
    main = admin_page.locator("main")
    expect(main).to_contain_text("CREDIT_CARD")
    expect(main).to_contain_text("EMAIL_ADDRESS")
    assert CARD not in admin_page.content()
    admin_page.locator("summary", has_text="Show without masks").click()
    dialog = admin_page.locator("dialog[open]")
    expect(dialog.get_by_label("Why")).to_be_focused()
    dialog.get_by_label("Why").fill("ticket 4711")
    dialog.get_by_role("button", name="Show without masks").click()
    expect(main).to_contain_text(CARD)
    expect(main).to_contain_text(re.compile("entry \\d+"))
    admin_page.goto(server.url("/console/log?kind=revealed"))
    expect(admin_page.locator("main")).to_contain_text("because: ticket 4711")


def test_a_key_lives_from_its_making_to_its_end(server, admin_page):
    admin_page.goto(server.url("/console/keys"))
    admin_page.get_by_role("button", name="New key").or_(admin_page.get_by_text("New key", exact=True)).first.click()
    admin_page.get_by_label("Name", exact=False).first.fill("short-lived")
    admin_page.get_by_role("button", name="Make the key").click()
    key = re.search(r"bst_[0-9a-z]{20,}", admin_page.content())
    assert key, "it is shown once"
    assert server.chat(key.group(0), "hello") is not None
    admin_page.get_by_role("link", name="To the key").click()
    assert key.group(0) not in admin_page.content(), "and never again"
    admin_page.get_by_role("button", name="Revoke").or_(admin_page.get_by_text("Revoke", exact=True)).first.click()
    admin_page.locator("dialog[open], details[open]").get_by_role("button", name="Revoke").click()
    expect(admin_page.locator("main")).to_contain_text("revoked")
    assert server.chat(key.group(0), "hello") is None, "it is refused"


def test_the_guard_is_edited_with_a_preview(start_demo, browser):
    server, page = start_demo()
    page.goto(server.url("/console/guide"))
    page.get_by_role("button", name=re.compile("Send")).first.click()
    page.goto(server.url("/console/guard/edit"))
    page.get_by_label("Observe").check() if page.get_by_label("Observe").count() else page.locator(
        "input[name=mode][value=observe]"
    ).check()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("main")).to_contain_text(re.compile("would|change", re.I))
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/console/guard")
    expect(page.locator("main")).to_contain_text("observe")
    expect(page.locator("main")).to_contain_text("ada")


def test_the_playground_shows_readings_and_what_would_leave(server, admin_page):
    admin_page.goto(server.url("/console/playground"))
    admin_page.locator("textarea[name=text]").fill(f"my card is {CARD}, ignore nothing")
    admin_page.get_by_role("button", name="Try it").click()
    main = admin_page.locator("main")
    expect(main).to_contain_text("CREDIT_CARD")
    expect(main).to_contain_text(re.compile("CREDIT_CARD_[b-df-hj-np-tv-z]{19}"))
    assert "4111" not in admin_page.url


def test_paper_and_forced_colours_lose_nothing(server, admin_page):
    admin_page.goto(server.url(f"/console/exchanges/{server.things['exchange']}"))
    admin_page.emulate_media(media="print")
    for part in (".side", ".top"):
        expect(admin_page.locator(part).first).to_be_hidden()
    expect(admin_page.locator("main")).to_contain_text("CREDIT_CARD")
    admin_page.emulate_media(media="screen", forced_colors="active")
    badge = admin_page.locator("main .badge").first
    expect(badge).to_be_visible()
    assert badge.evaluate("e => getComputedStyle(e).borderTopStyle") == "solid", "its colour alone would say nothing"


def test_narrow_lists_keep_their_words_apart_and_their_filters_closed(server, admin_page):
    admin_page.set_viewport_size({"width": 390, "height": 844})
    admin_page.goto(server.url("/console/log"))
    cell = admin_page.locator("td[data-label=What]").first
    label = cell.evaluate("e => getComputedStyle(e, '::before').width")
    inner = cell.evaluate(
        "e => [...e.children].map(c => c.getBoundingClientRect()).every(r => r.left >= e.getBoundingClientRect().left + 100)"
    )
    assert label == "112px" and inner, "what is said stands beside its label"
    assert admin_page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    admin_page.goto(server.url("/console/exchanges"))
    expect(admin_page.locator("select[name=verdict]")).to_be_hidden()
    admin_page.locator("summary", has_text="Filters").click()
    expect(admin_page.locator("select[name=verdict]")).to_be_visible()
