"""Messages between the services: what is written comes back, also what earlier versions wrote."""

import msgspec
import pytest

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
