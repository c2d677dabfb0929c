"""What working people do: the verbs of the thesaurus, replaced in all their forms.

The notation is that of `thesaurus_people`; ``t`` are verbs replaced only before their object.
"""

from typing import Final

VERBS: Final = """
v: submit > hand in | send in | put in | turn in
v: hand in > submit | give in
v: send in > submit | hand in
v: request > ask for | apply for
v: apply for > ask for | request
t: report > flag up | notify
v: announce > make known
v: notify > tell | inform
v: inform > tell
v: book > reserve
v: reserve > book
v: register > sign up | put on the list
v: enrol > sign up
v: buy > purchase
v: order > ask for
v: purchase > buy
v: acquire > buy | get
v: obtain > get
v: receive > get
v: grant > give
v: pay back > refund | give back | reimburse
v: refund > pay back | reimburse | give back
v: reimburse > refund | pay back
v: repay > pay back
v: deduct > take off
v: subtract > take off
v: spend on > pay for
v: cost > come to
t: claim > claim back | ask for
v: transfer > move across
t: return > give back | bring back | hand back
v: give back > return | hand back
v: hand over > pass on | give over
v: collect > pick up | fetch
v: deliver > bring
v: dispatch > send off
v: post > mail
v: ship > send out
v: forward > pass on | send on
v: begin > start | kick off | get going
v: start > begin | get going
v: commence > begin | start
v: finish > complete
v: end > finish | come to an end
v: expire > run out | lapse | stop being valid
v: lapse > expire | run out
v: last > go on | run | take
v: continue > go on | carry on
v: postpone > put off | push back
v: cancel > call off
v: extend > make longer | prolong
v: shorten > make shorter | cut
v: take place > happen
v: happen > take place | occur
v: occur > happen
t: keep > store | hold on to
v: store > keep | put away
v: retain > keep | hold on to
v: archive > put in the archive | store away
v: delete > erase | wipe | get rid of
v: erase > delete | wipe
v: destroy > get rid of
v: discard > throw away | dispose of
v: dispose of > get rid of | throw away
v: remove > take away | take off
v: repair > fix | mend
v: fix > repair | mend
v: replace > swap | change | exchange
v: exchange > swap
v: maintain > look after | keep up
v: service > look after | maintain
v: install > put in | set up | fit
v: assemble > put together
v: dismantle > take apart
v: inspect > check | look over | examine
v: examine > check | inspect
v: check > inspect | look over
v: test > try out | check
v: review > look over | go over
v: assess > judge | weigh up
v: measure > take a reading of
v: switch off > turn off
v: switch on > turn on
v: turn off > switch off
v: turn on > switch on
v: shut down > switch off
v: lock > lock up
v: close > shut
v: shut > close
v: wear > have on | put on
v: carry over > take over | bring forward | roll over
v: roll over > carry over
v: fill in > complete | fill out
v: complete > finish
v: initial > sign
v: approve > agree to | give the go-ahead for | sign off | OK
v: authorise > approve | sign off
v: authorize > approve | sign off
v: sign off > approve
v: reject > turn down | refuse
v: decline > turn down
v: refuse > turn down
v: permit > allow
v: allow > permit
v: forbid > ban | rule out
v: prohibit > ban | forbid
v: require > need | call for
v: use > make use of
v: exceed > go beyond | go above
v: contain > hold | include
v: consist of > be made up of
v: provide > give | supply | lay on
v: supply > provide
v: offer > give | lay on
v: issue > give out | hand out
v: distribute > hand out | give out
v: publish > put out | bring out
v: release > bring out | put out
v: download > fetch
v: upload > put online
v: update > bring up to date
v: modify > change | alter
v: amend > change | alter
v: alter > change
v: adjust > change
v: correct > put right
v: calculate > work out
v: determine > work out | settle
v: decide > settle
v: choose > pick
v: select > choose | pick
v: allocate > give out
v: appoint > name | choose
v: nominate > name | put forward
v: recruit > hire | take on
v: resign > give notice | quit
v: dismiss > let go | sack
v: retire > stop working
v: attend > go to | take part in
v: participate in > take part in | join in
v: convene > meet | get together
v: discuss > talk over | talk about
v: consult > ask
v: contact > get in touch with | reach | get hold of
v: ring > call | phone
v: telephone > ring | phone
v: reply > answer | get back
v: respond > answer | reply
v: confirm > acknowledge
v: acknowledge > confirm
v: explain > make clear
v: describe > set out
v: specify > set | lay down
v: define > lay down
v: supervise > oversee | watch over
v: oversee > supervise
v: manage > run | look after
v: conduct > carry out
v: carry out > do | perform
v: perform > carry out | do
v: undertake > take on | do
v: train > teach
v: prepare > get ready
v: arrange > set up | organise
v: organise > arrange | set up
v: plan > arrange
v: park > leave the car
v: travel > go | make a trip
v: depart > leave | set off
v: arrive > get there | turn up
v: accompany > go along with | go with
v: escort > go along with | accompany
v: protect > guard | keep safe
v: back up > make a copy of
v: save > keep
v: locate > find
v: lose > mislay
v: injure > hurt
v: suffer from > have
v: divide > split
v: reduce > cut | lower | bring down
v: increase > raise | put up
v: raise > increase | put up
v: complain > make a complaint
"""
