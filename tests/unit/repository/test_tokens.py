from htmengine.repository import tokens

NOW = 1_790_000_000.4


def test_a_token_is_known_by_the_checksum_of_its_secret(database):
    with database.write() as conn:
        token, secret = tokens.create(conn, "grafana", ["read", "write"], by="me", now=NOW)
    with database.read() as conn:
        known = tokens.every_token(conn)
    assert known == {tokens.digest_of(secret): token}
    assert (token.scopes, token.created_at, token.last_used_at) == (("read", "write"), int(NOW), None)
    assert secret.startswith(tokens.PREFIX)


def test_no_two_tokens_have_the_same_secret(database):
    with database.write() as conn:
        made = [tokens.create(conn, "same", ["read"], by="me", now=NOW) for _ in range(20)]
    assert len({secret for _, secret in made}) == len({token.id for token, _ in made}) == 20


def test_a_revoked_token_takes_its_sessions_with_it(database):
    with database.write() as conn:
        (first, _), (second, _) = (tokens.create(conn, "x", ["read"], by="me", now=NOW) for _ in range(2))
        for token in (first, second):
            tokens.begin_session(conn, token.id, now=NOW, lasts_s=60)
        assert tokens.revoke(conn, first.id)
        assert not tokens.revoke(conn, first.id)
        assert {session.token_id for session in tokens.every_session(conn).values()} == {second.id}


def test_sessions_that_are_over_go_when_another_begins(database):
    with database.write() as conn:
        token, _ = tokens.create(conn, "x", ["read"], by="me", now=NOW)
        tokens.begin_session(conn, token.id, now=NOW, lasts_s=60)
        secret = tokens.begin_session(conn, token.id, now=NOW + 61, lasts_s=60)
        assert list(tokens.every_session(conn)) == [tokens.digest_of(secret)]
        tokens.end_session(conn, secret)
        assert tokens.every_session(conn) == {}


def test_the_last_use_is_noted(database):
    with database.write() as conn:
        token, _ = tokens.create(conn, "x" * 300, ["read"], by="y" * 300, now=NOW)
        tokens.used(conn, [token.id], NOW + 5)
        (known,) = tokens.every_token(conn).values()
    assert known.last_used_at == int(NOW + 5)
    assert len(known.name) == len(known.created_by) == tokens.MAX_NAME
