"""The tests. Checks that several of them share explain a failure as well as a test's own."""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{part}"
        for part in ("acceptance", "contract", "integration", "reference", "support", "unit")
    )
)
