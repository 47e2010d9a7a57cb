import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.htm.explanation import _CAUSES
from htmengine.incidents.sentences import calm_sentence, common_group, reason, sentence
from htmengine.messages import Why


def why(cause, forecast=410.0, usual=(380.0, 455.0), foreseen=()):
    return Why(
        cause=cause,
        channel="deviation",
        forecast=forecast,
        usual=usual,
        foreseen=list(foreseen),
        alarms_before=0,
        last_alarm=None,
    )


@pytest.mark.parametrize(
    ("found", "value", "text"),
    [
        (why("error"), 932, "932 is far above the forecast of 410 (usual 380 to 455)"),
        (why("error"), 300, "300 is far below the forecast of 410 (usual 380 to 455)"),
        (
            why("distance"),
            932,
            "932 is far above its usual level at this time (expected 410, usual 380 to 455)",
        ),
        (why("distance"), 450, "450 is far above its usual level at this time (expected 410)"),
        (why("extreme"), 932, "932 is higher than ever before (expected 410, usual 380 to 455)"),
        (why("extreme"), 1, "1 is lower than ever before (expected 410, usual 380 to 455)"),
        (why("jump"), 420, "its last steps are larger than usual: now 420 (expected 410)"),
        (why("offset"), 440, "has stayed above its usual level for long: now 440 (expected 410)"),
        (why("unrest"), 380, "fluctuates more than usual, and has for long: now 380 (expected 410)"),
    ],
)
def test_each_cause_is_told_in_its_own_terms(found, value, text):
    assert sentence(found, value) == text


@pytest.mark.parametrize(
    ("foreseen", "rest"),
    [
        ([], "nothing like 132 was foreseen"),
        ([(81, 90)], "132 came, foreseen was 81 to 90"),
        ([(81, 90), (150, 155)], "132 came, foreseen was 81 to 90 or 150 to 155"),
        ([(1, 2), (3, 4), (81, 90), (150, 155)], "132 was not foreseen"),
        ([(130, 140)], "132 was foreseen, what came before it was not"),
    ],
)
def test_a_sequence_is_told_by_what_was_foreseen_and_not_by_the_usual_values(foreseen, rest):
    found = why("sequence", usual=(81, 155), foreseen=foreseen)
    assert sentence(found, 132) == f"its last values do not follow each other as usual: {rest}"
    assert "usual 81" not in sentence(found, 132)


def test_an_event_that_does_not_take_place_is_told_as_missing():
    found = why("distance", forecast=140.0, usual=(120.0, 160.0))
    assert sentence(found, 2.1) == "fell to 2.1 where 140 was expected"
    assert reason(found, 2.1) == "nearly all missing"


def test_what_comes_out_of_nearly_nothing_is_told_as_a_rise():
    assert sentence(why("error", forecast=2.0, usual=(0.0, 4.0)), 140) == "rose to 140 where 2 was expected"
    assert sentence(why("error", forecast=-1e-23, usual=(-0.1, 0.1)), 1) == "rose to 1 where 0 was expected"


def test_large_numbers_are_told_in_short_units():
    found = why("error", forecast=16.79e9, usual=(16.68e9, 16.9e9))
    assert (
        sentence(found, 15.05e9) == "15.05 G is far below the forecast of 16.79 G (usual 16.68 G to 16.9 G)"
    )


def test_numbers_have_as_many_digits_as_tell_them_apart():
    found = why("error", forecast=433.6901, usual=(433.68, 433.7))
    assert sentence(found, 433.7101) == "433.71 is far above the forecast of 433.69 (usual 433.68 to 433.7)"


def test_a_range_of_a_single_value_is_told_as_that():
    found = why("distance", forecast=18.9, usual=(18.899, 18.9001))
    assert "usual 18.9)" in sentence(found, 18)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    cause=st.sampled_from(_CAUSES),
    value=numbers,
    forecast=st.none() | numbers,
    usual=st.none() | st.tuples(numbers, numbers),
    foreseen=st.lists(st.tuples(numbers, numbers), max_size=5),
)
def test_whatever_a_model_says_becomes_one_line_of_words(cause, value, forecast, usual, foreseen):
    found = why(cause, forecast, usual, foreseen)
    for text in (sentence(found, value), reason(found, value)):
        assert text.isprintable()
        assert text
        assert "None" not in text
    assert len(sentence(found, value)) < 250


def test_a_cause_of_a_later_version_is_told_by_its_name():
    assert sentence(why("tide"), 932) == "932 is unusual (tide) (expected 410, usual 380 to 455)"
    assert reason(why("tide"), 932) == "tide"


@pytest.mark.parametrize(
    ("names", "group"),
    [
        (("web.a.cpu", "web.b.load"), "web"),
        (("web.a.cpu", "web.a.cpus"), "web.a"),
        (("web.a", "web.a.cpu"), "web.a"),
        (("web;dc=a", "web;dc=b"), "web"),
        (("web", "web;dc=b"), "web"),
        (("a.x", "b.x"), ""),
        (("web1", "web2"), ""),
        (("web.a", "web.a"), "web.a"),
    ],
)
def test_the_group_of_names_is_what_all_of_them_begin_with(names, group):
    assert common_group(min(names), max(names)) == group


@pytest.mark.parametrize(
    ("found", "value", "text"),
    [
        (why("error"), 400, "400 is not unusual (expected 410)"),
        (why("distance"), 460, "460 is not unusual enough for an alarm (expected 410, usual 380 to 455)"),
        (why("sequence", forecast=None, usual=None), 7, "7 is not unusual"),
        (None, 7.25, "7.25 is not unusual"),
    ],
)
def test_a_calm_value_is_not_called_far_from_anything(found, value, text):
    assert calm_sentence(found, value) == text
