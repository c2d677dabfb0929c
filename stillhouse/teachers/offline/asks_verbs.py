"""How people ask for what a handbook says with a verb: *who says yes to it* for *approved*.

One pattern a line, ``way: participle | participle > wording | wording``. The way is how the fact is
asked (`asks` reads it); ``{x}`` is what is done or does, ``{base}`` the verb, ``{is}``, ``{do}`` and
``{has}`` agree with the thing. ``*`` stands for any verb.
"""

from typing import Final

LENGTHS: Final = """
long: kept | retained | stored | held | saved | preserved | archived > how long do we hang on to {x} | after how long may we let go of {x} | how long until we can get rid of {x}
long: blocked | locked | suspended | disabled > how long until {x} can be used again | how long am I shut out of {x}
long: lent | borrowed | loaned > how long can I hang on to {x} | after how long must I bring back {x}
long: valid > how long can I go on using {x} | how long {is} {x} good for | after how long {do} {x} run out
long: closed | shut > how long is nobody let into {x} | how long {do} {x} stay shut
long: covered | insured | guaranteed > how long are we safe with {x} | how long {is} {x} protected
long: last | take | run > how much time {do} {x} take up | how much time should I keep free for {x} | how long {do} {x} go on
often: inspected | checked | tested | examined | controlled > how often does somebody have a look at {x} | how much time may pass between two looks at {x} | how long can {x} go without a check
often: serviced | maintained | overhauled > how often do we see to {x} | how long can {x} run before somebody sees to it
often: cleaned | washed | swept | wiped | disinfected | mopped > how often does somebody give {x} a clean | how long can {x} go without a clean
often: replaced | changed | renewed | swapped > how often do we get new {x} | how long do we use {x} before we get new
often: reviewed | revised | updated | audited | assessed > how often does somebody go over {x} | how long until somebody goes over {x} again
often: calibrated | adjusted > how often do we set {x} right | how long can we trust {x} before setting it right
often: backed | copied | saved > how often do we make copies of {x}
often: emptied | collected > how often does somebody empty {x} or take it away
often: delivered | supplied > how often do new {x} come in
often: held | convened | organised > how often {do} {x} come round | how often do we get together for {x}
often: paid | billed | invoiced > how often does money for {x} go out
often: trained | instructed | briefed > how often {do} {x} go over the basics again
often: watered | fed > how often does somebody see to {x}
"""
LIMITS: Final = """
soon: submitted | handed | sent | filed | returned > how long can I sit on {x} | how fast {do} {x} have to be in | how long can I put off {x}
soon: reported | notified | declared | disclosed | registered > how fast do I have to speak up about {x} | how long can I wait before I say something about {x}
soon: answered | acknowledged | handled | processed > how fast do people get an answer to {x} | how long may we leave {x} on the pile
soon: paid | settled | reimbursed | refunded > how long until {x} must be off the books | how long may {x} stay unpaid
soon: approved | decided | rejected > how long until there's a yes or no on {x} | how long can a manager sit on {x}
soon: requested | booked | ordered | reserved > how quickly must I put in for {x} | how fast do I have to ask for {x}
soon: repaired | fixed | corrected | replaced > how long may {x} stay out of order | how fast must somebody sort out {x}
soon: destroyed | deleted | erased | removed > how fast must we get rid of {x} | how long may we still hold {x}
soon: * > how long have we got to {base} {x} | how much time is there to {base} {x} | how long can we wait to {base} {x}
by: submitted | handed | sent | filed | returned > until when can I still get {x} in | when is it too late for {x} | when {do} {x} have to be on the table
by: paid | settled > when must the money for {x} be there | how late can we leave paying {x}
by: booked | ordered | requested | reserved > until when can I still put in for {x} | when is it too late to ask for {x}
by: * > what's the latest we can {base} {x} | how late can we leave it to {base} {x} | when is it too late to {base} {x}
"""
PEOPLE: Final = """
who: approved | authorised | authorized | signed | agreed > who has to OK {x} | whose go-ahead {do} {x} need | who gives the nod for {x} | who has the last word on {x} | whose name goes under {x}
who: owned > whose baby {is} {x} | who looks after {x} | who do I go to about {x} | who stands behind {x}
who: managed | run | coordinated | organised | administered | maintained | overseen | led > whose baby {is} {x} | who do I go to about {x} | who looks after {x} | who sees to {x} | who keeps an eye on {x}
who: checked | inspected | tested | reviewed | audited | verified > who has a look at {x} | whose job is it to go over {x} | who makes sure about {x}
who: paid | funded | covered > who foots the bill for {x} | out of whose pocket {do} {x} come
who: taught | trained | given | delivered | held > who takes people through {x} | who's at the front for {x}
who: kept | stored | held > who has {x} | who looks after {x}
who: issued | handed | distributed | provided > who do I get {x} from | who hands out {x}
who: written | drafted | prepared > who puts {x} together | whose work {is} {x}
who: cleaned | emptied > who does the cleaning of {x}
who: updated | revised > who keeps {x} up to date
who: ordered | bought | purchased > who does the shopping for {x} | who gets {x} in
who: * > whose job is it to {base} {x} | who's the one to {base} {x}
"""
PLACES: Final = """
where: kept | stored | found | located | put | placed > where do I find {x} | where do I look for {x} | whereabouts {is} {x} | where would I go to get {x}
where: submitted | handed | sent | returned > where do I take {x} | where do I drop off {x} | where {do} {x} go
where: reported | notified > where do I turn to about {x} | where do I go to speak up about {x}
where: booked | reserved | requested > where do I go to get {x} | where do I put my name down for {x}
where: displayed | posted | published > where can I have a look at {x} | where {is} {x} up for all to see
where: collected | issued > where do I pick up {x} | where do I go to get {x}
where: disposed | thrown | discarded > where do I get rid of {x} | which bin do I use for {x}
where: recorded | logged | documented | entered > where do I write down {x} | where do I look up {x}
where: parked | left > where do I leave {x} | where {do} {x} go
"""
HOURS: Final = """
when: open > how early can I get into {x} | when does somebody unlock {x} | from when can I pop into {x}
when: close | shut > how late can I still get into {x} | when {is} {x} locked up | until when can I pop into {x}
when: start | begin | commence > when {do} {x} kick off | when should I turn up for {x} | when {do} {x} get going
when: end | finish | stop > how late {do} {x} go on | when {is} {x} over
when: leave | depart > when {do} {x} set off | when do I have to be there to catch {x}
when: expire | lapse > until when can I use {x} | when {is} {x} no longer any good
when: paid > when does the money for {x} arrive | when can I expect the money for {x} | when {do} {x} turn up in the bank
when: held > when {do} {x} come round | what goes in the diary for {x}
when: collected | emptied > when does somebody take away {x}
when: delivered > when {do} {x} turn up here
when: served > when can I eat {x}
when: opened | unlocked > how early can I get into {x}
when: closed | locked > how late can I still get into {x}
"""
SUMS: Final = """
much: cost > what's the damage for {x} | how much {do} {x} set me back | what {do} {x} come to | how much do they want for {x} | how much do I need to find for {x}
much: paid | reimbursed | refunded > how much do I get for {x} | what money do I see for {x}
much: charged > how much do they want for {x} | what's the damage for {x}
much: deducted > how much is taken off me for {x}
form: used | requested | submitted | reported | claimed | booked | ordered | recorded > what paperwork do I fill in for {x} | which piece of paper do I need for {x} | what do I have to fill in for {x}
form: * > what paperwork do I fill in to {base} {x} | which piece of paper do I need to {base} {x}
warm: kept | stored | held > how hot or cold do we keep {x} | how warm or cold should {x} be | what should the thermometer say for {x}
warm: washed | cleaned | rinsed > how hot is the water for {x}
"""
VERB_ASKS: Final = f"{LENGTHS}{LIMITS}{PEOPLE}{PLACES}{HOURS}{SUMS}"
