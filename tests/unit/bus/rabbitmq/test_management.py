"""The management interface of a broker, as a server that answers as told."""

import socket
import threading

import pytest

from htmengine.bus.rabbitmq.management import Management
from htmengine.config import Broker

BOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[{}]"
UNBOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"


@pytest.fixture
def interface():
    """Give a function that makes an interface of a list of answers for each connection; then it hangs up."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads, opened = [], []

    def interface(*connections):
        def serve():
            for answers in connections:
                peer, _ = listening.accept()
                with peer:
                    for answer in answers:
                        while b"\r\n\r\n" not in peer.recv(65536):
                            pass
                        peer.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        broker = Broker(host="127.0.0.1", management_port=listening.getsockname()[1])
        opened.append(Management(broker, timeout_s=60.0))
        return opened[-1]

    yield interface
    for management in opened:
        management.close()
    for thread in threads:
        thread.join()
    listening.close()


def test_whether_an_exchange_is_bound_is_asked_until_it_is(interface):
    management = interface([UNBOUND, UNBOUND, BOUND])
    assert [management.is_bound("e") for _ in range(4)] == [False, False, True, True]


def test_an_interface_that_hung_up_after_a_while_is_asked_anew(interface, caplog):
    management = interface([UNBOUND], [UNBOUND])
    assert [management.is_bound("e") for _ in range(2)] == [False, False]
    assert not caplog.records


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml",
        b"nonsense\r\n",
    ],
)
def test_an_interface_that_does_not_tell_is_left_alone_and_something_is_taken_to_be_bound(interface, answer):
    management = interface([answer])
    assert management.is_bound("e")
    assert management.is_bound("other")
    with pytest.raises(OSError, match=r"management interface at 127\.0\.0\.1") as caught:
        interface([answer]).queues()
    assert ("the tag management" in str(caught.value)) == (b"401" in answer)
