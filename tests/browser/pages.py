"""Every page of the console that a GET opens, in one place.

The list is compared with the routes that the server knows (`test_pages.py`): a page that is new there fails until it is
listed here. Pages that need a thing to show (a key, an entry) name it in braces; `conftest.py` makes it.
"""

# Opened by every test of pages.
PAGES = [
    "/console/design",
    "/console",
    "/console/live",
    "/console/exchanges",
    "/console/exchanges?verdict=block",
    "/console/exchanges/{exchange}",
    "/console/findings",
    "/console/keys",
    "/console/keys/{key}",
    "/console/models",
    "/console/policies",
    "/console/policies/edit",
    "/console/policies/try",
    "/console/guard",
    "/console/guard/edit",
    "/console/log",
    "/console/log/{entry}",
    "/console/playground",
    "/console/guide",
    "/console/users",
    "/console/account",
    "/console/settings",
    "/console/system",
]

# Answer no page: a stream of events, a file, and versions that there are only after changes.
NO_PAGE = [
    "/console/assets/{}",
    "/console/live/events",
    "/console/log/checkpoint",
    "/console/policies/versions/{}",
    "/console/guard/versions/{}",
]

# Opened by nobody who is signed in; `test_first_run.py` looks at them.
OUTSIDE = ["/console/setup", "/console/sign-in"]
