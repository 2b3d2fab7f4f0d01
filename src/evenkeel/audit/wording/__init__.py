"""What evenkeel says, in other languages. Rules and reports say everything in English; a `Wording` says it again.

Every message has a template: the English text with holes for what differs from case to case. `zh/*.toml` holds them,
each with its text in that language. A message is matched against the templates, and what stood in the holes is put into
the other text, itself translated where it is made of words; code between back-ticks never is. So neither findings nor
rules know of languages, and an audit in English pays nothing. A message without a template stays in English; tests
hold that there is none.
"""

from evenkeel.audit.wording.templates import Template
from evenkeel.audit.wording.wordings import ENGLISH, LANGUAGES, Language, Wording, wording_of

__all__ = ["ENGLISH", "LANGUAGES", "Language", "Template", "Wording", "wording_of"]
