"""What people say in chat for the verbs and set phrases of handbooks.

The notation is that of `thesaurus_people`; these groups add to those of the other files.
"""

from typing import Final

CHAT_DEEDS: Final = """
v: submit > get in | send off
v: approve > say yes to | nod through | wave through
v: notify > let know
v: inform > let know
v: commence > kick off
v: terminate > end | stop
v: reimburse > give back the money for
v: purchase > get hold of
v: retain > hang on to
t: keep > hang on to
v: utilise > use
v: document > write down | note
v: record > write down | note
v: log > write down | note
v: verify > check | make sure of
v: ensure > make sure of
v: monitor > keep an eye on | watch
v: coordinate > sort out
v: handle > deal with
v: process > deal with | work through
v: resolve > sort out | clear up
v: rectify > put right
v: investigate > look into
v: evaluate > size up | judge
v: escalate > pass up the line | push up
v: delegate > hand to someone else
v: invite > ask along
v: greet > welcome
v: join > become part of
v: relocate > move
v: vacate > clear out of
v: evacuate > clear | get everyone out of
v: wash > clean
v: sweep > brush
v: empty > clear out
v: refill > top up
v: recharge > charge up
v: invoice > bill
v: lend > loan
v: borrow > take out
v: rent > hire
v: lease > rent
v: fund > pay for
v: sponsor > pay for
v: donate > give
v: compensate > pay back
v: earn > make
v: encrypt > scramble | lock
v: reset > set again
v: block > shut out
v: restart > start up again
v: print > print out | run off
v: scan > scan in
v: label > put a label on
v: weigh > put on the scales
v: pack > pack up
v: load > load up
v: stack > pile up
v: calibrate > set right
v: lubricate > oil | grease
v: translate > put into another language
v: proofread > read over
v: draft > write up
v: circulate > send round | pass round
v: hand out > give out
"""
CHAT_PHRASES: Final = """
p: it is permitted to > it's OK to
p: are we obliged to > do we have to
p: is it possible to > can I
p: how much notice > how much warning
p: how many days before > how many days ahead of
p: the following month > the month after | next month
p: the following day > the day after | next day
p: the next working day > the working day after
p: calendar month > whole month
p: outdoors > outside
p: indoors > inside
p: defective > broken | not working
p: unwell > ill | poorly
p: pregnant > expecting
p: confidential > secret | private
p: complimentary > free
p: expensive > dear | pricey
p: inexpensive > cheap
p: sufficient > enough
p: prohibited > banned | not allowed
p: forbidden > banned | not allowed
p: at the company's expense > on the firm
p: with immediate effect > from now
p: at the beginning of > at the start of
p: during working hours > in office hours | while at work
p: in the event of a fire > if there's a fire | if it burns
p: in case of fire > if there's a fire | if it burns
p: prior approval > a yes beforehand
p: written approval > a yes in writing | written permission
p: written notice > notice in writing
p: who approves > who has to OK | who OKs | who gives the nod for
p: who authorises > who gives the nod for | who OKs
p: who owns > who looks after | who takes care of
p: who maintains > who looks after | who sees to
p: who manages > who runs | who looks after
p: who coordinates > who sorts out
p: how much does it cost to > what do I pay to | how much is it to
p: do we have to > must we | do people here have to
p: is closed > is shut
"""
CHAT: Final = f"{CHAT_DEEDS}{CHAT_PHRASES}"
