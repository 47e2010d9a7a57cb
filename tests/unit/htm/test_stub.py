from pathlib import Path

from nanobind.stubgen import StubGen

from htmengine import htm
from htmengine.htm import _kernels


def test_the_stub_of_the_compiled_module_is_current():
    generator = StubGen(_kernels)
    generator.put(_kernels)
    committed = Path(htm.__file__).with_name("_kernels.pyi")
    assert generator.get() == committed.read_text(), "run: make stub"
