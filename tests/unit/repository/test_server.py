import pytest

from htmengine import config
from htmengine.repository.server import server_url


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_no_text_shows_a_password(dialect):
    repository = config.Repository(dialect=dialect, user="u@x", passwd="p:@/ä", host="h", port=1, db="d")
    url = server_url(repository)
    assert url.password == "p:@/ä"
    assert url.username == "u@x"
    for shown in (
        repr(url),
        str(url),
        repr(repository),
        str(repository),
        repr(config.Settings(repository=repository)),
    ):
        assert "p:@/ä" not in shown
        assert "p%3A" not in shown
