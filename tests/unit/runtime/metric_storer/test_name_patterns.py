import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from htmengine.runtime.metric_storer import name_patterns

_CHARACTERS = st.sampled_from("abz.-_07/é٣ß\u2003\x0b\x1c[]{},:\nZ")
_ATOMS = st.one_of(
    st.sampled_from(
        ["a", "b", "z", "0", "-", "_", "/", "é", ",", ":", r"\.", ".", r"\[", r"\{", r"\u00e9", "{"]
    ),
    st.sampled_from([r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\x61", r"\012"]),
    st.lists(
        st.sampled_from(["a-z", "0", ".", "é", r"\d", r"\D", r"\w", r"\s", r"\]", "{,2}", ":", r"\[", "_"]),
        min_size=1,
    ).map(lambda parts: f"[{''.join(parts)}]"),
    st.lists(st.sampled_from(["]", "a-c", "[:alpha:", "é"]), min_size=1, unique=True).map(
        lambda parts: f"[^{''.join(sorted(parts, key=']'.__ne__))}]"
    ),
)
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{,2}", "{1,}", "{,}", "*?", "{1,2}?"])).map(
            lambda two: f"({two[0]}){two[1]}"
        ),
        inner.map(lambda one: f"(?i:{one})"),
        inner.map(lambda one: rf"^{one}\Z"),
        inner.map(lambda one: f"({one})$"),
    ),
    max_leaves=4,
)


def _new(name):
    """Whether a name has characters that not every version of Unicode knows: libraries may differ in it."""
    return any(unicodedata.ucd_3_2_0.category(character) == "Cn" for character in name)


@pytest.mark.filterwarnings("ignore:Possible")
@given(pattern=_PATTERNS, name=st.text(_CHARACTERS, max_size=8), data=st.data())
@example(pattern=r"x{,2}", name="xx", data=None)
@example(pattern=r"[[:alpha:]]", name="a]", data=None)
@example(pattern=r"(?P<n>\w)\.b$", name="é.b", data=None)
@example(pattern=r"[]a]+", name="]a", data=None)
@example(pattern=r"\w+", name="température", data=None)
@example(pattern=r"host\d+", name="host٣", data=None)
def test_a_regular_expression_fits_what_pythons_own_would(pattern, name, data):
    if data is not None:
        fitting = st.from_regex(pattern, fullmatch=True).filter(lambda n: len(n) < 50 and not _new(n))
        name = data.draw(st.one_of(st.just(name), fitting))
    assert bool(name_patterns.regex(pattern)(name)) == bool(re.fullmatch(pattern, name))


@pytest.mark.parametrize("pattern", [r"(\w+\.?)+x", "(a|a)*b", "(.*)*x", "(a?){500}a{500}", ".*" * 30 + "x"])
def test_no_regular_expression_takes_for_ever(pattern):
    fits = name_patterns.regex(pattern)
    assert not fits("a" * 255)


@pytest.mark.parametrize(
    "pattern", ["*a" * 100 + "b", "*" * 200 + "b", "*[ab]*?" * 50 + "b", "a" + "?*" * 100 + "b"]
)
def test_no_pattern_of_a_shell_takes_for_ever(pattern):
    assert not name_patterns.glob(pattern)("a" * 255)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?!internal\.).*",
        r"(?<=a)b",
        r"(a)\1",
        r"(?P<a>a)(?P=a)",
        r"(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)\11",
        r"a{1001}",
        r"(a{500}){500}",
        r"[\W.]",
        r"(?x)a b",
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_refused(pattern):
    re.compile(pattern)
    with pytest.raises(ValueError, match=r"cannot be matched in linear time: .* two rules"):
        name_patterns.regex(pattern)


@pytest.mark.parametrize("pattern", ["(", "a**", r"\p{L}", "[", "x{99999999999}", "(" * 5000 + ")" * 5000])
def test_what_is_no_regular_expression_is_refused(pattern):
    with pytest.raises(ValueError, match="is not a regular expression"):
        name_patterns.regex(pattern)
