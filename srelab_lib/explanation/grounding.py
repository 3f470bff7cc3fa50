"""Checks every claim of a model against the facts that it cites, word by word; what does not hold is struck.

A claim is kept when nothing in it goes beyond, or against, the facts that it cites. Promised to be struck:

* a citation of nothing, or of what does not exist, or of facts that do not speak of what the claim speaks of;
* a name (object, pod, host, image, variable, path, reason of an API) that the cited facts do not have, and a fault, a
  number or an event said of another object than the one whose facts hold it;
* a number, a share, a time of day, a date or a number in words that the facts do not have in that role: a port is no
  exit code, those that succeeded are not those that failed, 12 in all are not 12 a second, what one key has is not what
  another key has, what was measured is not its bound;
* the time, or the old value, of another change than the one that it tells of;
* in one clause the time of one cited fact with a pod, a node or a number that only another one has;
* another unit (10Mi and 10Gi, 10Mi and 10 MB, seconds and minutes, per cent and a count), or none where there is one;
* a denial of what the facts state (an event, a direction, a field's value), a statement of what they deny, "still" of
  what they end, and a success where they tell of trouble only;
* a rise that was a fall, an addition that was a removal, old and new value swapped;
* cause and effect swapped, of which up to one in five passes (ARCHITECTURE.md): what was declared or changed, how the
  process ended, that it did so again, that it gets no traffic, what users felt, what controllers and alerts say; the
  later of these is no cause of the earlier, what is dated later came not before, and no fact says why a person changed
  something;
* a cause that it rules out (`that change cannot be what broke it`) where the dates do not put it after the effect;
* another kind of fault than the facts show (memory for CPU, DNS for a refused connection, readiness for liveness);
* "all" and "every" where the facts have a part;
* a claim that only a text rests on which tells its reader what to say (`steering`);
* commands, links, markup, advice, and sentences that say nothing the facts hold.

Not caught, because it takes knowledge that the facts do not spell out: a cause that stands in the right order and is
still not the cause; a log line that lies without telling anyone what to say; values of the same unit and role that the
claim exchanges between two facts of one object, where nothing else in the clause is of one of them only; an adjective
or adverb ("quickly", "badly"); what is left out. A claim in another language than English is struck: its words cannot
be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from srelab_lib.explanation import rules_attribution as attribution
from srelab_lib.explanation import rules_capacity as capacity
from srelab_lib.explanation import rules_changes as changes
from srelab_lib.explanation import rules_denied as denied
from srelab_lib.explanation import rules_directions as moves
from srelab_lib.explanation import rules_fields as fields
from srelab_lib.explanation import rules_form as form
from srelab_lib.explanation import rules_keys as keys
from srelab_lib.explanation import rules_meaning as meaning
from srelab_lib.explanation import rules_numbers as numbers
from srelab_lib.explanation import rules_pairs as pairs
from srelab_lib.explanation import rules_roles as roles
from srelab_lib.explanation import rules_substance as substance
from srelab_lib.explanation import rules_tallies as tallies
from srelab_lib.explanation.case import Case
from srelab_lib.explanation.passages import CITED_ID
from srelab_lib.explanation.wording import worded
from srelab_lib.model import Claim, EvidenceSet

Rule = Callable[[Case], str | None]
"""The reason to strike a claim, or None."""


def verify(text: str, cited: Sequence[str], evidence: EvidenceSet, *, about: str = "") -> Claim:
    """The claim, kept or struck.

    Args:
        text: one sentence or two.
        cited: ids of the evidence that it cites.
        evidence: all evidence of the incident.
        about: the object that it says it is about, as `Kind/namespace/name`; empty when it does not say.
    """
    ids = tuple(dict.fromkeys([*cited, *CITED_ID.findall(text)]))
    case = Case(text=worded(text), cited=ids, about=about, evidence=evidence)
    reason = next((reason for rule in RULES if (reason := rule(case)) is not None), "")
    return Claim(text=text, evidence=ids, status="struck" if reason else "kept", reason=reason)


RULES: tuple[Rule, ...] = (
    form.cites_what_exists,
    form.rests_on_facts,
    form.is_english,
    form.is_a_plain_statement,
    form.is_about_what_it_cites,
    form.concerns_its_object,
    form.kinds_are_right,
    form.names_stand_in_facts,
    roles.hosts_stand_in_facts,
    roles.caller_calls,
    roles.settings_are_of_their_object,
    denied.writer_is_right,
    numbers.numbers_stand_in_facts,
    numbers.times_stand_in_facts,
    numbers.days_stand_in_facts,
    numbers.whole_is_whole,
    pairs.counts_are_of_their_kind,
    attribution.belongs_to_one_fact,
    attribution.numbers_have_their_role,
    attribution.things_have_their_own,
    pairs.names_count_nothing,
    tallies.tallies_are_of_their_key,
    tallies.part_is_no_whole,
    tallies.all_are_as_many,
    tallies.reasons_are_of_their_nodes,
    keys.numbers_are_of_their_key,
    keys.written_keys_have_their_value,
    keys.variables_have_their_number,
    keys.letters_are_of_their_thing,
    keys.bounds_are_bounds,
    keys.replicas_are_in_their_state,
    capacity.fits_where_there_is_room,
    changes.changes_have_their_time,
    changes.steps_are_of_one_change,
    changes.shifts_are_of_one_series,
    changes.edits_are_of_their_object,
    changes.rights_are_as_changed,
    meaning.facts_speak_of_it,
    meaning.signs_agree,
    meaning.denials_stand_in_facts,
    meaning.denies_what_is_so,
    meaning.ended_is_of_before,
    denied.changed_is_not_left,
    denied.old_is_not_kept,
    denied.help_is_had,
    denied.stated_is_not_denied,
    denied.able_was_done,
    fields.flags_agree,
    fields.nothing_is_had,
    fields.none_is_some,
    fields.places_are_right,
    fields.values_are_of_their_key,
    fields.things_are_of_their_kind,
    fields.containers_are_right,
    fields.stays_within_limit,
    fields.affirms_what_is_not,
    fields.did_what_failed,
    fields.labels_are_had,
    fields.policies_let_in,
    fields.nothing_is_left,
    fields.members_are_listed,
    fields.names_stand_whole,
    meaning.outcome_agrees,
    meaning.recovery_is_had,
    moves.direction_agrees,
    meaning.ruled_out_is_later,
    meaning.cause_comes_first,
    substance.says_something_held,
)
"""In this order: the first reason is the one that is shown."""
