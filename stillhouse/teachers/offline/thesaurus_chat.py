"""What people say in chat for the words of handbooks: things, people and deeds of working life.

The notation is that of `thesaurus_people`. A source that stands in another file too adds to what
may be put for it.
"""

from typing import Final

CHAT_THINGS: Final = """
x: response time > time to react | time to get back | reaction time
x: resolution time > time to sort it out | time to fix it
x: turnaround time > time it takes | time to get it done
x: processing time > time it takes to go through | handling time
x: waiting time > wait
x: lead time > wait for delivery | delivery time
x: retention period > time we keep it for | time to hang on to it
x: storage period > keeping time | time in storage
x: validity period > time it is good for
x: cooling-off period > time to change one's mind
x: grace period > extra time allowed
x: review date > date for another look
x: service contract > service deal | service agreement
x: maintenance contract > upkeep deal | servicing contract
x: service agreement > service deal | service contract
x: rental agreement > hire contract | rental contract
x: purchase price > price paid
x: monthly fee > charge per month | monthly charge
x: monthly charge > charge per month | monthly fee
x: annual fee > yearly charge | fee per year
x: hourly rate > pay per hour | rate by the hour
x: daily rate > rate per day | pay per day
x: cancellation fee > charge for calling it off | charge for pulling out
x: entry fee > charge to get in | price to get in
x: membership fee > subscription | members' fee
x: late fee > charge for being late | fine for being late
x: delivery charge > cost of delivery | charge for bringing it
x: credit card > plastic card
x: bank account > account at the bank
x: bank details > account details
x: tax form > form for the taxman
x: cost centre > budget code
x: spending limit > cap on spending | most one may spend
x: credit limit > cap on credit
x: speed limit > top speed allowed
x: weight limit > most it may weigh | heaviest weight allowed
x: age limit > age cut-off
x: minimum order > smallest order
x: storage limit > storage cap | cap on space
x: storage space > room for files | disk space
x: disk space > storage space | room on the disk
x: mailbox > inbox
h: inbox | mailbox
x: log-in > sign-in
x: username > login name | sign-in name
x: security code > PIN | lock code
x: door code > code for the door | number for the lock
x: alarm code > code for the alarm
x: key card > swipe card | entry card
x: swipe card > key card | entry card
x: ID card > staff pass | photo pass
x: visitor badge > guest badge | guest pass
x: visitor pass > guest pass | guest badge
x: dress code > rules on clothes | rules on what to wear
x: work clothes > working clothes | kit
x: desk phone > landline | phone on the desk
x: video call > online meeting | call on screen
x: conference call > group call | phone meeting
x: answering machine > voicemail
x: printer paper > paper for the printer
x: copier > photocopier | copying machine
h: photocopier > copier | copying machine
x: stationery > office supplies | pens and paper
x: office supplies > stationery | pens and paper
x: cleaning products > cleaning stuff | cleaning materials
x: cleaning schedule > cleaning rota
x: duty roster > rota | list of who works when
x: shift plan > rota | shift rota
h: roster > rota
x: handover > passing on of the work
x: overtime pay > pay for extra hours | money for extra hours
x: shift allowance > extra money for shifts | shift bonus
x: night allowance > extra money for nights
x: travel allowance > money for travelling | travel money
x: relocation allowance > money for moving house | help with moving house
x: clothing allowance > money for clothes | clothes money
x: training budget > money for training | money for courses
x: health insurance > medical cover | health cover
x: liability insurance > liability cover
x: life insurance > life cover
h: insurance > cover
x: pension age > age to retire | retirement age
x: staff discount > money off for staff | discount for people who work here
x: company pension > works pension | firm's pension
x: childcare > looking after the children | care for the kids
x: annual review > yearly review | yearly look back
x: pay review > look at the pay | salary review
x: staff meeting > meeting for everyone | get-together of the staff
x: team meeting > get-together of the team
x: board meeting > meeting of the board
x: exit interview > leaving interview | leaving chat
x: reference letter > written reference
x: sickness absence > being off sick | sick days
x: jury service > jury duty | being on a jury
x: garden leave > gardening leave
x: safety officer > safety person | person for safety
x: fire warden > fire marshal
x: fire marshal > fire warden
x: security guard > guard | person on the gate
x: data protection officer > privacy officer | person for data protection
x: union representative > union rep | shop steward
x: staff representative > staff rep | spokesperson for the staff
x: sales representative > sales rep
x: project manager > project lead | project head
x: head of department > department head | boss of the department
x: department head > head of department
x: managing director > MD | top boss
x: finance manager > head of finance | finance boss
x: personnel department > HR | human resources
x: human resources > HR | personnel
x: HR department > HR | personnel
x: accounts department > accounts | bookkeeping
x: finance department > finance team | finance people
x: legal department > legal team | lawyers
x: purchasing department > buying team | buyers
x: sales department > sales team | sales people
x: temporary worker > temp | agency worker
x: temporary workers > temps | agency workers
x: agency worker > temp
x: apprentice > trainee
x: student worker > working student
x: shareholder | stockholder
x: competitor | rival firm
x: business partner > firm we work with
x: forklift truck > forklift
x: forklift > forklift truck
x: company bicycle > firm's bike
x: delivery note > delivery slip | slip that comes with the goods
x: packing list > list of what's in the box
x: loading bay > loading dock | place to load lorries
x: pallet truck > hand truck
x: cold store > cold room | walk-in fridge
x: fridge | refrigerator
x: coffee machine > coffee maker
x: air conditioning > cooling | air con
x: smoke detector > smoke alarm
x: smoke alarm > smoke detector
x: cleaning agent > cleaner | cleaning product
x: safety data sheet > sheet on the substance | data sheet
x: safety vest > high-vis vest | hi-vis
x: high-visibility vest > hi-vis | safety vest
x: eye test > sight test
x: eyesight test > eye test | sight test
x: medical check > check-up | health check
x: flu vaccination > flu jab
x: vaccination > jab
x: quality check > check on quality | look at the quality
x: sample size > number of samples
x: reject rate > share of rejects
x: customer complaint > complaint from a customer | moan from a client
x: customer complaints > complaints from customers | moans from clients
x: non-conformity > thing that is not up to standard
x: work order > job sheet
x: job description > list of what the job involves
x: meeting minutes > notes of the meeting
x: pool car > shared car
x: travel time > time on the road
x: travel insurance > cover for the trip
x: exchange rate > rate for changing money
"""
