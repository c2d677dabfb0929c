"""How people ask for what a handbook names with a noun: *how fast must we react* for *response time*.

One pattern a line, ``kinds: noun | noun > wording | wording``. The kinds are those of the asked
value; ``{x}`` is what the noun belongs to, ``{is}``, ``{do}`` and ``{has}`` agree with it. Wordings
without ``{x}`` are for a noun that stands alone.
"""

from typing import Final

from stillhouse.teachers.offline.lexicon import list_words

TIMES: Final = """
duration: response time | reaction time | answer time | reply time > how fast do we have to react for {x} | how soon must somebody get back to people for {x} | how long may it take us to answer for {x} | how fast do we have to react | how soon must somebody get back to people
duration: resolution time | repair time | fix time > how long may it take to sort out {x} | how soon {has} {x} to be put right | by what time must {x} be mended at the latest
duration: notice period | period of notice | notice > how long beforehand do I have to speak up about {x} | how far ahead do I have to ask for {x} | how much warning must I give for {x} | how long beforehand do I have to say so | how much warning must I give
duration: interval | inspection interval | check interval | test interval > how often {is} {x} looked at | how much time may pass between two checks for {x} | how long can we wait until the next check for {x}
duration: service interval | maintenance interval | cleaning interval > how often {do} {x} need looking after | how much time may pass between two services for {x} | how long can {x} go until somebody has to see to it
duration: review interval | review period | review cycle > how often does somebody go over {x} again | how long until {x} gets looked at again
duration: probation period | probation | probationary period | trial period > how long am I on trial at the start | how long until I'm taken on for good | how long is one tried out first | how long {do} {x} get tried out first
duration: warranty | warranty period | guarantee | guarantee period > how long is {x} covered | how long can I get {x} mended under the guarantee | if {x} packs up, how long am I covered | how long are we covered if it packs up
duration: retention period | retention | storage period | archiving period | retention time > how long do we hang on to {x} | how long {do} {x} have to stay in the files | after how long may {x} be thrown away | how long do we hang on to things | after how long may it be thrown away
duration: validity | validity period | period of validity > how long {is} {x} good for | how long can I go on using {x} | after how long {do} {x} run out | how long is it good for
duration: duration | length > how long {do} {x} go on | how much time {do} {x} take up | how much time should I keep free for {x} | how long does it go on
duration: delivery time | lead time | delivery period | shipping time > how long do we wait for {x} | how long until {x} turns up | how long between ordering {x} and getting it here | how long until the goods turn up
duration: processing time | turnaround time | handling time | turnaround > how long until {x} gets dealt with | how long do I wait for {x} to go through | how long does it take them to work through {x} | how long until it gets dealt with
duration: payment term | payment terms | payment period > how long have we got to settle {x} | how long may {x} stay unpaid | how long have we got to settle up
duration: deadline | time limit | deadline for submission > how long have I got for {x} | how much time am I given for {x} | how long can {x} wait | how long have I got
duration: loan period | lending period | borrowing period > how long can I hang on to {x} | how long can I have {x} out | after how long must {x} go back | how long can I hang on to it
duration: hire period | rental period > how long can I have {x} on hire | after how long {do} {x} go back
duration: cooling time | drying time | curing time | waiting time | waiting period > how long do I have to wait for {x} | how long until {x} is ready | how long do I have to wait
duration: lunch break | break | rest break > how long am I away from my desk for {x} | how long can I be away from my desk | how much time do I get to rest
duration: lifetime | service life | shelf life | life > how long {do} {x} keep | how long until {x} has to be thrown out | how long {is} {x} good for
duration: uptime > how long {do} {x} stay up
duration: working week | weekly hours | weekly working time > how many hours do I put in between Monday and Sunday | how many hours am I paid to be here each week
duration: cancellation period | withdrawal period > how long beforehand can I still get out of {x} | how late can I still call off {x} | how long have I got to back out of {x} | how long have I got to back out
duration: warm-up time | start-up time > how long {do} {x} take to get going | how long do I let {x} run first
duration: expiry | expiry period | expiration > after how long {do} {x} run out | how long can I go on using {x}
duration: leave | annual leave | holiday entitlement | leave entitlement | leave allowance > how much time off is due to {x} | how long can {x} be away on holiday | how much time off am I owed | how long can I be away on holiday in all
date,ordinal,weekday,time: deadline | closing date | submission deadline | cut-off | due date | last day > by when {do} {x} have to be in | until when can I still get {x} in | when is it too late for {x} | how late can {x} be | when is it too late
date,ordinal,weekday: pay day | payday | payment date > when do we get our money | when does the money arrive | when do {x} get their money
date,ordinal,weekday: start date | first day | starting date > when {do} {x} get going | from when {is} {x} on | when does it get going
date,ordinal,weekday: end date | expiry date | final date > when {do} {x} run out | when {is} {x} over | until when {is} {x} good
date,ordinal,weekday: effective date | date of issue | issue date > from when {do} {x} count | since when {has} {x} been in force
date,ordinal,weekday: review date | next review > when does somebody go over {x} again | when {is} {x} looked at again
date,weekday,ordinal: collection day | delivery day > when {do} {x} get picked up or dropped off
date,weekday,ordinal: meeting day | date | day > when {is} {x} on | what goes in the diary for {x}
time: start | start time | starting time | beginning > when {do} {x} kick off | how early do I have to be there for {x} | what time should I turn up for {x} | when do we kick off
time: end | end time | finishing time | finish > when {is} {x} over | how late {do} {x} go on | when can I pack up after {x} | when are we done
time: opening time | opening hour > how early can I get into {x} | when does somebody unlock {x} | from what time can I pop into {x}
time: closing time > how late can I still get into {x} | when {do} {x} shut | until what time can I pop into {x}
time: departure | departure time > when {do} {x} set off | when do I have to be ready to leave for {x}
time: arrival | arrival time | check-in time | check-in > when should I turn up for {x} | how early can I turn up for {x}
time: cut-off time | order deadline | ordering deadline > how late can I still order {x} | until when can I get my order in for {x}
"""
MONEY: Final = """
money: price | cost | costs > what's the damage for {x} | how much {do} {x} set me back | what {do} {x} come to | what do they want for {x} | how much do I need to find for {x}
money: fee | charge > how much do they take for {x} | what will {x} set me back | how much do I have to part with for {x} | what do they want for {x}
money: fine | penalty | late fee > what do I have to cough up for {x} | how much is taken off people for {x} | what's the damage for {x}
money: deposit | down payment | security deposit > how much do I leave as a security for {x} | how much do I put down for {x} at first | how much do I have to put down
money: rate | hourly rate | daily rate > how much do we get for {x} | what {do} {x} come to | at what money {is} {x} paid
money: mileage rate | mileage allowance | mileage > how much do I get for driving {x} | how much petrol money do I get for {x} | what do they pay me for driving
money: allowance | subsidy | grant | contribution | bursary > how much can I get towards {x} | how much does the firm chip in for {x} | what do they pay me towards {x} | how much help with money is there for {x}
money: meal allowance | daily allowance | per diem | subsistence allowance > how much can I eat for {x} on the firm's money | what do I get a day for food {x} | how much can I spend on food when I'm away
money: refund | reimbursement > how much do I get back for {x} | what do I see again of my money for {x} | how much of my money comes back for {x}
money: limit | maximum | cap | ceiling | upper limit | spending limit > what's the cap on {x} | how much can I have at most for {x} | how far up can I go for {x} | what's the most they'll pay for {x} | how high may I go
money: threshold | approval limit | approval threshold > from what sum does {x} need a yes from above | up to what sum can I go ahead with {x} alone | up to what sum can I go ahead alone
money: budget > how much can we spend on {x} | how much money is set aside for {x} | how much is in the pot for {x} | how much is in the pot
money: salary | pay | wage | starting salary > how much {do} {x} take home | what {do} {x} earn | what money do {x} make | how much would I earn
money: bonus | reward | referral bonus > how much do I get on top of my pay for {x} | what's in it for me with {x} | how much do I get on top of my pay
money: rent > what do we pay to be in {x} | how much {do} {x} cost to rent
money: value | minimum value | minimum order value | minimum order > how much must {x} be worth at least
money: excess | deductible > how much do we bear ourselves for {x} | what comes out of my own pocket for {x}
money: subscription | membership fee | membership > how much do I pay to belong to {x} | what do I pay to join {x} | how much does it take to join
money: fare | ticket price > what do I pay to ride {x} | how much is a ride on {x}
money: supplement | surcharge | extra charge > how much more do I pay for {x} | what comes on top for {x} | how much comes on top
percent: discount | reduction | staff discount > how much cheaper {do} {x} get things | how much cheaper do I get {x} | how much comes off {x} | how much do they knock off for {x} | how much cheaper do I get things
percent: employer contribution | contribution | share > how big a slice does the firm pay for {x} | how much does the firm put in for {x} | what part of {x} is paid in
percent: rate | interest rate | interest | tax rate > how big a part is taken for {x} | how much is added for {x}
percent: target | goal > what are we aiming at for {x} | what share should {x} reach
percent: humidity | relative humidity > how damp may {x} be | how moist should the air be in {x}
percent: tolerance | error rate | failure rate > how far off may {x} be | how much may {x} stray
percent: deposit | down payment > what part of the money do I put down for {x} at first
"""
AMOUNTS: Final = """
count,number: capacity > how many fit into {x} | how many {do} {x} take | how much can go into {x} at once
count,measure,number: quota | storage quota | mailbox quota | mailbox size | storage | storage limit | storage space > how much space {do} {x} get | how much room do I get for {x} | how much can I put into {x} until it's full | how much fits into {x}
count,measure,number: limit | maximum | cap | upper limit > what's the cap on {x} | what's the most I can have for {x} | how far can I go with {x} | how far can I go
count,measure,number: minimum > what's the least for {x} | what's the lowest I can go for {x} | how little is still enough for {x}
duration,count: entitlement | allowance > how much {x} is mine | how much am I owed for {x} | how much do I get for {x} | how much am I owed
measure: temperature | storage temperature | operating temperature | room temperature > how warm or cold should {x} be | how hot or cold do we keep {x} | what should the thermometer say for {x} | what should the thermometer say
measure: pressure | working pressure | operating pressure | tyre pressure > how hard should {x} be pumped up | what should the gauge say for {x} | what should the gauge say
measure: weight | maximum weight | weight limit | load limit | maximum load | load capacity > how heavy may {x} be | how much can I load on {x} | what may {x} weigh | how many kilos or pounds can {x} take
measure,count: speed limit | speed | maximum speed > how fast may I go in {x} | how fast may {x} run | how fast may I drive
measure: length | maximum length | height | width | depth | dimensions | size > how big {is} {x} | what do I get if I measure {x}
measure: distance | minimum distance | clearance > how far away must I stay from {x} | how close can I get to {x} | how close may I get
measure: noise level | noise limit | sound level > how loud may {x} be | how much noise can {x} make
measure: power | voltage | current | rated power > how much electricity {do} {x} need | what does it say on the plate for power on {x}
measure: volume | tank size | tank capacity > how much goes into {x} | how much can I pour into {x}
measure: accuracy | precision | tolerance > how far off may {x} be | how closely can I trust {x}
measure: dose | dosage | dilution | concentration > how strong do I mix {x} | how much of {x} goes in
measure,number: range | reach > how far {do} {x} reach
count,duration,number: age | minimum age | age limit > how old do you have to be for {x} | from what age can people have {x} | how young is too young for {x} | how old must {x} at least be | how old do you have to be
count,number: password length | minimum length | maximum length > how long {has} {x} to be | how many letters and signs go into {x}
count,number: number of participants | group size | team size | maximum number of participants | class size > how many people can come to {x} | how many of us fit in {x} | how many heads {do} {x} have
count,number: number of employees | number of staff | headcount | staff > how many people work at {x} | how many of us are there at {x} | how many people work here
count,number: number of seats | seats | seating capacity > how many people can sit in {x} | how many chairs {do} {x} have
count,number: number of copies | copies > how often do I print {x} | how many do I run off of {x}
count,number: number of attempts | attempts | login attempts > how often can I get {x} wrong | how often can I get it wrong
count,number: quorum > how many have to turn up for {x} to decide anything | how many have to turn up so that it counts
count,number: minimum order quantity | minimum order | minimum quantity > how few of {x} can I order | what's the smallest lot of {x} they send
count,number: floor | storey > how far up {is} {x} | which button in the lift takes me to {x}
"""
NAMES: Final = """
person,role: owner | document owner | process owner | policy owner > whose baby {is} {x} | who looks after {x} | who do I go to about {x} | whose desk does {x} land on | who stands behind {x}
person,role: contact | contact person | point of contact > who do I go to about {x} | who can help me with {x} | who should I talk to about {x} | who do I turn to when it comes to {x}
person,role: head | manager | leader | lead | director > who runs {x} | who's the boss in {x} | who calls the shots in {x} | who heads up {x}
person,role: deputy | substitute | stand-in > who steps in for {x} | who covers for {x} | if {x} is away, who do I turn to
person,role: approver | authoriser | person responsible for approval > who has to OK {x} | whose go-ahead do I need for {x} | who signs off {x}
person,role: author | editor > who wrote {x} | who put {x} together
person,role: trainer | instructor | tutor > who teaches {x} | who takes people through {x}
person,role: administrator | coordinator | organiser > who sorts out {x} | who keeps {x} going | who do I pester about {x}
person,role: first aider | fire warden | safety officer > who helps if someone gets hurt in {x} | who do I run to for safety in {x}
person,role: supplier | provider | vendor > who do we get {x} from | who sells us {x}
person,role: representative | staff representative > who speaks for {x} | who stands up for {x}
code,identifier: form | application form | request form | claim form > what paperwork do I fill in for {x} | what do I have to fill in for {x} | which piece of paper do I need for {x} | which sheet gets me {x}
code,identifier: code | document code | document number | reference | reference number | document reference > what do I quote for {x} | under what sign {is} {x} filed | what's printed on {x} | what do I type in to find {x}
code,identifier,number: cost centre | cost code | account | account number > what do I book {x} to | where do the costs of {x} go | what do I put on the bill for {x}
code,identifier,number: part number | article number | item number | stock number > what do I quote when I order {x} | under what number do they sell {x}
code,identifier,number: serial number | inventory number | asset number | asset tag > what's on the sticker of {x} | what's stamped on {x}
number,code,identifier,phone: extension | internal number | phone extension > what do I dial for {x} | which number gets me through to {x} | how do I ring {x} from inside | what do I punch into the phone for {x}
number,phone,identifier,code: phone number | telephone number | number | hotline | phone | telephone > what do I dial for {x} | which number gets me through to {x} | how do I get {x} on the line
number,code,identifier: emergency number > what do I dial if it burns or someone is hurt | what do I dial for {x} when things go wrong | what do I dial when things go wrong
email,url,identifier: email | email address | mailbox > where do I write to for {x} | where do I send my mail for {x} | how do I reach {x} in writing
url,identifier,name: website | web address | intranet page | address > where do I click for {x} | what do I type into the browser for {x}
number,code,identifier: room | room number > which door do I knock on for {x} | where do I find {x} | where {is} {x}
code,identifier,number: door code | access code | pin | pin code > what do I punch in for {x} | how do I get past the lock at {x} | what do I punch in at the door
code,identifier: standard | norm > by which rule {is} {x} made | what {do} {x} have to comply with
place: place | location | room | venue | site > whereabouts {is} {x} | where do I have to go for {x} | where do I turn up for {x} | where will I find {x}
place: assembly point | meeting point | muster point > where do we all gather outside if it burns | where do I run to when the alarm goes | where do {x} gather when the alarm goes
place: storage place | storage location | storage > where do we put {x} | where {do} {x} live | where do I look for {x}
place: address | office | headquarters | head office > where do I go to see {x} | where {do} {x} sit | whereabouts are we based
name,place,text: system | tool | software | program | application | app > what do I open to do {x} | what do we work with for {x} | what do I click on for {x}
name,person: supplier | provider | insurer | bank | airline > who do we deal with for {x} | which firm handles {x}
text: colour | color > what {do} {x} look like | how {is} {x} painted
text,name: language > how do we talk in {x} | what do I have to speak for {x}
text: format | file format > how should I save {x} | as what do I get {x} in
text,duration: frequency | rhythm | cycle > how often do we do {x} | how often {do} {x} come round | how regularly {is} {x} done
"""
NOUNS: Final = f"{TIMES}{MONEY}{AMOUNTS}{NAMES}"
# Adjectives before an asked noun that say for which time it is meant.
PERIODS: Final = {
    "monthly": "a month", "yearly": "a year", "annual": "a year", "weekly": "a week",
    "daily": "a day", "hourly": "an hour",
}  # fmt: skip
# Nouns before an asked noun that name what it is for: *the parking fee* is for parking.
FOR_WHAT: Final = {
    noun: f"{article} {noun}".strip()
    for article, nouns in (
        ("a", ("hotel room meal course taxi locker badge flight phone laptop visitor gift uniform "
              "bicycle bike car")),
        ("the", "train bus gym"),
        ("", ("lunch dinner breakfast parking training membership delivery travel laundry fuel petrol "
             "glasses entry registration storage shipping postage childcare")),
    )
    for noun in list_words(nouns)
}  # fmt: skip
# Heads that stand for a single thing and so need an article.
COUNTED: Final = frozenset(
    [
        "contract", "policy", "form", "plan", "scheme", "card", "room", "server", "machine",
        "course", "package", "line", "model", "printer", "badge", "permit", "account", "team",
        "department", "office", "van", "meeting", "vehicle", "tariff", "licence", "programme",
    ]
)  # fmt: skip
