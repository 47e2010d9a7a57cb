import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import foreign
from htmengine.doors.names import canonical, read
from htmengine.doors.reasons import MAX_NAME, BadSample, Reason

TEXT = st.text(max_size=12)
TAGS = st.dictionaries(TEXT, TEXT, max_size=5)


def naive(base, tags):
    """The rules, one after the other."""

    def replaced(text, also):
        return "".join("_" if c in ";" + also or c.isspace() or foreign.has_unseen(c) else c for c in text)

    kept = {}
    for key, value in tags.items():
        key, value = replaced(key, "!^="), replaced(value.lstrip("~"), "")
        if key and value:
            kept[key] = value
    after = "".join(f";{key}={kept[key]}" for key in sorted(kept))
    base = replaced(base, "")
    return (base.replace("{", "_") if (base + after).endswith('"}') else base) + after


@given(st.one_of(st.text(min_size=1, max_size=12), st.text('a{"}', min_size=1)), TAGS)
def test_a_name_follows_the_rules_one_by_one(base, tags):
    assert canonical(base, tags) == naive(base, tags)


@given(st.text(min_size=1, max_size=12), TAGS)
def test_a_name_has_no_blank_and_nothing_that_nobody_sees(base, tags):
    name = canonical(base, tags)
    assert len(name.split()) == 1
    assert not foreign.has_unseen(name)


BRACES = st.text('a{="}', max_size=12)


@given(st.text('ab.~ü{="}', min_size=1, max_size=8), st.dictionaries(BRACES, BRACES, max_size=5))
def test_a_canonical_name_is_read_as_itself(base, tags):
    name = canonical(base, tags)
    assert read(name) == name


@pytest.mark.parametrize(
    ("base", "tags", "name"),
    [
        ("cpu", {}, "cpu"),
        ("cpu.user", {"host": "b", "dc": "a"}, "cpu.user;dc=a;host=b"),
        ("cpu", {"a-b": "1", "a": "2"}, "cpu;a=2;a-b=1"),
        ("disk used", {"path": "C:\\Program Files"}, "disk_used;path=C:\\Program_Files"),
        ("m", {"query": "a=b;c"}, "m;query=a=b_c"),
        ("m", {"!k^=": "v"}, "m;_k__=v"),
        ("m", {"k": "~~home"}, "m;k=home"),
        ("m", {"empty": "", "": "v", "tilde": "~"}, "m"),
        ("größe", {"ort": "köln"}, "größe;ort=köln"),
        ("m", {"k": "a\u200bb\x00"}, "m;k=a_b_"),
    ],
)
def test_what_would_make_a_name_ambiguous_is_replaced(base, tags, name):
    assert canonical(base, tags) == name


@pytest.mark.parametrize(
    ("base", "tags", "reason"),
    [
        ("", {"a": "b"}, Reason.NO_NAME),
        ("m" * (MAX_NAME + 1), {}, Reason.LONG_NAME),
        ("m", {"k": "v" * MAX_NAME}, Reason.LONG_NAME),
    ],
)
def test_a_name_that_cannot_be_made_is_refused(base, tags, reason):
    with pytest.raises(BadSample) as raised:
        canonical(base, tags)
    assert raised.value.reason is reason


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.b.c", "a.b.c"),
        ("a;z=1;b=2", "a;b=2;z=1"),
        ("a;b=x=y", "a;b=x=y"),
        ('cpu{mode="idle",cpu="0"}', "cpu;cpu=0;mode=idle"),
        ('cpu{mode="say \\"hi\\""}', 'cpu;mode=say_"hi"'),
        ('cpu{path="c:\\\\x"}', "cpu;path=c:\\x"),
        ("cpu{}", "cpu{}"),
        ("a}", "a}"),
        ("a;b=1;b=2", "a;b=2"),
    ],
)
def test_both_ways_of_writing_tags_give_one_name(path, name):
    assert read(path) == name


@pytest.mark.parametrize(
    "path",
    [
        "a;b",
        "a;=b",
        "a;b=",
        "a;",
        "a;b=~c",
        "a;!b=c",
        "a;b^=c",
        'a{b=c"}',
        'a{="c"}',
        'x{b="c"d="e"}',
        'a{b="c","}',
    ],
)
def test_a_malformed_tag_is_refused(path):
    with pytest.raises(BadSample) as raised:
        read(path)
    assert raised.value.reason is Reason.BAD_TAG


def test_a_path_with_characters_that_nobody_sees_is_refused():
    with pytest.raises(BadSample) as raised:
        read("a\u200b;b=c")
    assert raised.value.reason is Reason.NAME_CHARACTERS
