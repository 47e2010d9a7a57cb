"""Messages between the services: what is written comes back, also what earlier versions wrote."""

import sys
import zlib
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmengine import messages
from htmengine.messages import CommandResult, DefineModel, DeleteModel, MalformedMessage, Samples, Scores

COMMAND = DefineModel(command_id="c", uid="u", generation=1)
SAMPLES = Samples(uids=["u"], generations=[1], rowids=[7], timestamps=[60], values=[0.5])
RESULT = CommandResult(command_id="c", method="defineModel", uid="u", generation=1, status=0)
SCORES = Scores(
    uids=["u"],
    generations=[1],
    rowids=[7],
    timestamps=[60],
    values=[0.5],
    raw_anomaly_scores=[1.0],
    anomaly_scores=[0.25],
    log_scores=[0.125],
    sequence_scores=[0.5],
    novelty_scores=[0.75],
)


def test_a_message_carries_any_number_of_inputs_in_their_order():
    inputs = [COMMAND, SAMPLES, DeleteModel(command_id="d", uid="u", generation=1), SAMPLES]
    assert messages.decode_model_input(messages.encode_model_input(inputs)) == inputs
    assert messages.decode_model_input(messages.encode_model_input([])) == []


def test_a_message_carries_any_number_of_outputs_in_their_order():
    outputs = [RESULT, SCORES, RESULT]
    assert messages.decode_model_output(messages.encode_model_output(outputs)) == outputs


def test_what_earlier_versions_left_in_the_queues_is_read():
    assert messages.decode_model_input(msgspec.msgpack.encode(SAMPLES)) == [SAMPLES]
    assert messages.decode_model_output(msgspec.msgpack.encode(SCORES)) == [SCORES]


@pytest.mark.parametrize("decode", [messages.decode_model_input, messages.decode_model_output])
@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"{}", msgspec.msgpack.encode([{"type": "other"}]), msgspec.msgpack.encode([1])]
)
def test_what_is_no_message_is_refused(decode, body):
    with pytest.raises(MalformedMessage):
        decode(body)


@pytest.mark.parametrize("levels", [2_000, 200_000])
def test_a_message_of_lists_in_lists_without_end_is_malformed(levels):
    # Python from 3.13 on has room for thousands of levels, or as many as the stack: they are a field that is not known.
    malformed = suppress(MalformedMessage) if sys.version_info >= (3, 13) else pytest.raises(MalformedMessage)
    text = b"[" * levels + b"]" * levels
    packed = b"\x91" * levels + b"\xc0"
    for decode, body in (
        (messages.decode_metric_lines, b'{"protocol": "plain", "data": [], "more": ' + text + b"}"),
        (messages.decode_results_batch, b'{"rows": [], "more": ' + text + b"}"),
        (
            lambda body: messages.decode_compressed(body, messages.Results),
            zlib.compress(b'{"more": ' + text + b"}"),
        ),
        (messages.decode_model_input, b"\x91\x82\xa4type\xa7samples\xa1x" + packed),
        (messages.decode_model_output, b"\x91\x82\xa4type\xa6scores\xa1x" + packed),
    ):
        with malformed:
            decode(body)


@given(st.binary(max_size=60))
def test_whatever_a_body_is_it_is_a_message_or_malformed(body):
    for decode in (
        messages.decode_metric_lines,
        messages.decode_results_batch,
        lambda body: messages.decode_compressed(body, messages.Results),
        messages.decode_model_input,
        messages.decode_model_output,
    ):
        with suppress(MalformedMessage):
            decode(body)


@pytest.mark.parametrize(
    ("metric", "token"), [("a\x00b", "t"), ("", "t"), ("m" * 256, "t"), ("m", "t" * 41), ("m", "t\x00")]
)
def test_a_backfill_that_no_database_stores_is_malformed(metric, token):
    body = {"protocol": "plain", "data": [], "backfill": {"metric": metric, "token": token}}
    with pytest.raises(MalformedMessage):
        messages.decode_metric_lines(msgspec.json.encode(body))
    body["backfill"] = {"metric": "größe", "token": "t"}
    assert messages.decode_metric_lines(msgspec.json.encode(body)).backfill.metric == "größe"
