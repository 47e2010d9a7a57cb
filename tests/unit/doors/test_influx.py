import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine.doors import influx, names
from htmengine.doors.influx import answer, parse, precision
from htmengine.doors.limits import Limits
from htmengine.doors.reasons import Reason
from htmengine.doors.samples import Kind, UnreadableBody

NOW = 1_700_000_000.25
LIMITS = Limits()
WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\\#", exclude_categories=("Cs", "Cc", "Z")),
    min_size=1,
    max_size=8,
)
FIELDS = st.dictionaries(WORDS, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3)
POINTS = st.tuples(WORDS, st.dictionaries(WORDS, WORDS, max_size=3), FIELDS, st.integers(10**8, 10**10))


def escaped(word, signs=",= "):
    return "".join("\\" + c if c in signs else c for c in word)


def pairs(of):
    return ",".join(f"{escaped(key)}={value}" for key, value in of.items())


def written(measurement, tags, fields, time):
    head = escaped(measurement, ", ")
    return f"{head}{',' if tags else ''}{pairs({key: escaped(value) for key, value in tags.items()})} {pairs(fields)} {time}000000000"


def rows(parsed):
    samples = parsed.samples
    return list(zip(samples.names, samples.timestamps, samples.values, strict=True))


def read(text, unit="", limits=LIMITS):
    return parse(text.encode(), precision(unit), NOW, limits)


@given(st.lists(POINTS, max_size=6), st.sampled_from(["\n", "\r\n", "\n\n# a comment\n"]))
def test_what_is_written_by_the_rules_is_read_back(points, end):
    expected = [
        (
            names.canonical(m if key == "value" else f"{m}.{key}", tags),
            time,
            value,
        )
        for m, tags, fields, time in points
        for key, value in fields.items()
    ]
    parsed = read(end.join(written(*point) for point in points))
    assert rows(parsed) == expected
    assert set(parsed.samples.kinds) <= {Kind.GAUGE}


@given(
    st.lists(st.one_of(st.builds(written, WORDS, st.just({}), FIELDS, st.just(10**18)), st.text(max_size=30)))
)
def test_each_line_is_read_as_if_it_were_alone(lines):
    lines = [line for text in lines for line in text.split("\n")]
    together = parse("\n".join(lines).encode(errors="surrogatepass"), precision(""), NOW, LIMITS)
    alone = [parse(line.encode(errors="surrogatepass"), precision(""), NOW, LIMITS) for line in lines]
    assert rows(together) == [row for parsed in alone for row in rows(parsed)]
    assert together.refusals.counts.total() == sum(parsed.refusals.counts.total() for parsed in alone)


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing(body):
    parse(body, precision("s"), NOW, LIMITS)


@given(st.text('a,=" \\1#', max_size=30))
def test_lines_with_and_without_escapes_are_read_by_one_grammar(line):
    grammar = re.compile(
        r"(?:\\.|[^\\, ])+(?:,(?:\\.|[^\\,= ])+=(?:\\.|[^\\,= ])+)*"
        r' +(?:\\.|[^\\,= ])+=(?:"(?:\\.|[^\\"])*"|[^," ]+)(?:,(?:\\.|[^\\,= ])+=(?:"(?:\\.|[^\\"])*"|[^," ]+))*(?: .*)?'
    )
    if not line.strip() or line.lstrip().startswith("#"):
        return
    refused = read(line).refusals.counts
    assert (Reason.SYNTAX in refused) == (grammar.fullmatch(line.strip()) is None)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("cpu value=1", ("cpu", NOW, 1)),
        ("cpu,host=a usage=-1.2e+7 1700000000000000000", ("cpu.usage;host=a", 1.7e9, -1.2e7)),
        ("m,z=1,a=2 f=5i 1700000000999999999", ("m.f;a=2;z=1", 1700000000.999999, 5)),
        ("m f=5u 1700000000000000000", ("m.f", 1.7e9, 5)),
        ("m f=TRUE", ("m.f", NOW, 1)),
        ("m f=f", ("m.f", NOW, 0)),
        ("m f=1,f=2", ("m.f", NOW, 2)),
        (r"my\ m\,x,tag\ key=a\=b f\ g=1", ("my_m,x.f_g;tag_key=a=b", NOW, 1)),
        (r'm,path=C:\temp,q="x" f=1', ('m.f;path=C:\\temp;q="x"', NOW, 1)),
        ('m s="a, b=c \\" d",f=1', ("m.f", NOW, 1)),
        ("m   f=1   1700000000000000000  ", ("m.f", 1.7e9, 1)),
    ],
)
def test_a_line_is_read(line, row):
    assert rows(read(line)) == [row]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("m", Reason.SYNTAX),
        ("m ", Reason.SYNTAX),
        (",a=b f=1", Reason.SYNTAX),
        ("m,a= f=1", Reason.SYNTAX),
        ("m,=b f=1", Reason.SYNTAX),
        ("m,a f=1", Reason.SYNTAX),
        ("m f=", Reason.SYNTAX),
        ("m f=1,", Reason.SYNTAX),
        ("m =1", Reason.SYNTAX),
        ('m f="open', Reason.SYNTAX),
        ("m f=1x", Reason.VALUE),
        ("m f=1_0", Reason.VALUE),
        ("m f=1.5i", Reason.VALUE),
        ("m f=-5u", Reason.VALUE),
        ("m f=nan", Reason.NOT_FINITE),
        ("m f=1e999", Reason.NOT_FINITE),
        ("m f=1 12:30", Reason.TIMESTAMP),
        ("m f=1 1700000000 5", Reason.TIMESTAMP),
        ("m f=1 1700000000", Reason.PRECISION),
        ("m f=1 1700000000000", Reason.PRECISION),
        ("m f=1 " + "9" * 40, Reason.TIMESTAMP),
        ("m" * 256 + " f=1", Reason.LONG_NAME),
    ],
)
def test_a_bad_line_costs_only_itself_and_is_numbered(line, reason):
    parsed = read(f"a f=1\n{line}\nb f=2")
    assert [name for name, _, _ in rows(parsed)] == ["a.f", "b.f"]
    assert [(refusal.reason, refusal.record) for refusal in parsed.refusals.details] == [(reason, 2)]


@pytest.mark.parametrize(
    ("unit", "time"),
    [
        ("", 10**9),
        ("n", 10**9),
        ("ns", 10**9),
        ("u", 10**6),
        ("µ", 10**6),
        ("us", 10**6),
        ("ms", 1000),
        ("s", 1),
    ],
)
def test_every_precision_gives_the_same_time(unit, time):
    assert rows(read(f"m value=1 {1_700_000_000 * time}", unit)) == [("m", 1.7e9, 1)]


def test_minutes_and_hours_are_precisions_too():
    assert rows(read("m value=1 28333333", "m")) == [("m", 28333333 * 60, 1)]
    assert rows(read("m value=1 472222", "h")) == [("m", 472222 * 3600, 1)]
    with pytest.raises(ValueError, match="d"):
        precision("d")


def test_seconds_sent_as_another_precision_are_told_so():
    assert "precision" in read("m value=1 1700000000000", "s").refusals.details[0].reason


def test_a_second_is_never_rounded_up():
    assert rows(read("m value=1 1699999999999999999")) == [("m", 1699999999.999999, 1)]


def test_text_fields_are_counted_and_no_error():
    parsed = read('m s="text",f=1')
    assert dict(parsed.refusals.counts) == {Reason.TEXT_FIELD: 1}
    assert answer(parsed).status == 204


def test_more_samples_than_allowed_are_refused_as_a_whole():
    with pytest.raises(UnreadableBody) as raised:
        read("m a=1,b=2\nm c=3", limits=Limits(samples=2))
    assert raised.value.reason is Reason.TOO_MANY


def test_an_answer_tells_the_first_bad_line_to_clients_of_both_versions():
    status, headers, body = answer(read(f"a f=1\nb f=x{'y' * 300}\nc"))
    assert status == 400
    assert body["error"] == body["message"]
    assert body["code"] == "invalid"
    assert re.fullmatch(
        r'partial write: line 2: the value is not a number: "b f=xy+…y+" dropped=2', body["error"]
    )
    assert len(body["error"]) < 200
    assert headers["X-Influx-Error"].isascii()


def test_all_taken_is_an_empty_answer():
    assert answer(read("a f=1")) == influx.Answer(204, {}, {})
