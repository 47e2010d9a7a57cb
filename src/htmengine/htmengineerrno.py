"""Results of models' commands, as numbers."""

from typing import Final

SUCCESS: Final = 0
ERR: Final = 1
"""Any other error."""
ERR_MODEL_ALREADY_EXISTS: Final = 2
"""A model with another definition exists."""
ERR_NO_SUCH_MODEL: Final = 3
ERR_INVALID_ARG: Final = 4
"""For example an unknown command."""
