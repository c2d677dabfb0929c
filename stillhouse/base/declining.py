"""What a text says that declines to answer, for replies and for training answers alike."""

import re
from typing import Final

DECLINES: Final = re.compile(
    r"\b(?:"
    r"(?:do(?:es)?|did) ?n[o']t (?:say|state|mention|specify|tell|know|cover|give|provide|include"
    r"|contain|answer|explain|describe|address|list|have (?:any |that |this |the |enough )?inform)"
    r"|(?:do(?:es)?|did) not (?:say|state|mention|specify|tell|know|cover|give|provide|include"
    r"|contain|answer|explain|describe|address|list|have (?:any |that |this |the |enough )?inform)"
    r"|(?:is|are|was|were)(?: not|n't) (?:mentioned|specified|stated|covered|given|provided"
    r"|included|described|addressed|listed|in the (?:handbook|passage|text|document))"
    r"|not (?:mentioned|specified|stated)"
    r"|(?:there is )?no (?:information|mention|answer)"
    r"|(?:can ?not|can't|could not|couldn't|unable to) (?:find|say|tell|answer|determine|be found)"
    r"|not sure|unknown|says nothing|silent on"
    r")"
)
