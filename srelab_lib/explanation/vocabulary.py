"""What claims and facts can speak of, in all the words that people and servers have for it.

A *topic* is a thing (memory, a probe, DNS): a claim that names one must cite a fact that has it. An *event* happened or
did not: the fact must have it with the same sign. A *state* holds or does not, and a server has words of its own for
either (`ErrImagePull` says that an image was *not* pulled). Patterns see text as `words.spread` writes it.
"""

from __future__ import annotations

from srelab_lib.explanation.concept import Concept
from srelab_lib.explanation.concepts_effects import EFFECTS
from srelab_lib.explanation.concepts_platform import PLATFORM
from srelab_lib.explanation.concepts_runtime import RUNTIME

CONCEPTS: tuple[Concept, ...] = (*RUNTIME, *PLATFORM, *EFFECTS)
"""Everything that can be spoken of; where one pattern finds what another finds too, the narrower one stands first."""
