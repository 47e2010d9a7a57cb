import pytest

from htmengine.incidents.names import FLEET, Fleet, groups_of


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("load", []),
        ("prod.web.cpu", ["prod", "prod.web"]),
        ("/var/log", ["/var"]),
        ("cpu;host=a;dc=b", ["cpu", ";host=a", ";dc=b"]),
        ("sys.cpu;host=a", ["sys", "sys.cpu", ";host=a"]),
        ("a..b", ["a"]),
        (".", []),
        ("", []),
    ],
)
def test_prefixes_and_tags_make_groups(name, groups):
    assert list(groups_of(name)) == [FLEET, *groups]


def test_a_name_of_very_many_segments_has_few_groups():
    assert len(list(groups_of(".".join("abcdefghijklmnop" * 10)))) == 9


def test_a_fleet_knows_how_many_metrics_each_group_has():
    fleet = Fleet(["web.a", "web.b", "db.a;dc=x;dc=x"])
    assert [fleet.size(group) for group in (FLEET, "web", "db", ";dc=x", "nothing")] == [3, 2, 1, 1, 0]
