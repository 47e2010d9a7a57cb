from htmengine.system.interning import Interned


def test_equal_values_are_one_object():
    interned = Interned(10)
    first, other = tuple("ab"), tuple("ab")
    assert first is not other
    assert interned.one(first) is first
    assert interned.one(other) is first


def test_beyond_the_limit_it_begins_anew():
    interned = Interned(2)
    first, again = tuple("ab"), tuple("ab")
    interned.one(first)
    interned.one(tuple("cd"))
    interned.one(tuple("ef"))
    assert interned.one(again) is again
