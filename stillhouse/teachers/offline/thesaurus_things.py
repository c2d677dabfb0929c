"""Things of working life with more than one name: papers, computers, places, events.

The notation is that of `thesaurus_people`.
"""

from typing import Final

PAPERS_AND_IT: Final = """
h: form > paper | sheet | paperwork
n: application form > form to apply
x: claim form > form for claims | claims form
n: request form > form for requests
h: document > paper
h: guideline > rule | guidance
m: guidelines > guidance
h: procedure > process | way of doing it
h: regulation > rule
h: handbook > rule book | staff guide
h: manual > instruction book | guide
x: checklist > list of things to do
h: template > blank form | pattern
x: document code > document reference | document number | code on the document
x: document number > document reference | number of the document
x: reference number > reference | reference code
x: serial number > number on the device
x: part number > number of the part
h: revision > new version
h: appendix | annexe
h: signature > sign-off
h: approval > permission | go-ahead | the OK
h: consent > agreement
h: permission > go-ahead
h: authorisation | permission
h: notification > notice
h: announcement > public notice
h: summary > short version
h: register > list
h: backup > backup copy | safety copy
n: backup copy > safety copy
h: password > pass phrase | login password
x: passwords > pass phrases | login passwords
n: user account > login | account
x: user name | login name
n: device > piece of equipment | gadget
x: laptop > notebook computer | portable computer
x: laptops > notebook computers | portable computers
x: mobile phone > mobile | cell phone
x: mobile phones > mobiles | cell phones
h: telephone | phone
x: phone number | telephone number
x: telephone number | phone number
h: extension > internal number | phone extension | internal phone number
h: extensions > internal numbers | internal phone numbers
x: telephone extension > internal number | phone extension
x: phone extension > internal number
x: email address | e-mail address
h: email > mail | message
h: attachment > attached file
h: screen > display | monitor
x: memory stick | USB stick | flash drive
x: software > programs | computer programs
h: program > piece of software | application
h: app > application
x: website | web page | site on the web
x: web browser > browser
h: server > central computer
h: network > computer network
h: update > upgrade
h: bug | software error | defect
h: patch > fix
n: pull request > merge request
h: repository > code base
h: maintainer > person who looks after it
h: contributor > person who contributes
x: help desk > support desk | IT support
h: helpdesk > support desk | IT support
x: IT department > IT team | IT people
x: two-factor authentication | two-step login
x: personal data > private data | data about people
x: data protection > privacy | protecting data
x: data breach > leak of data | data leak
n: virus > malware infection
x: access rights > permissions
x: access card > entry card | pass
h: badge | name badge | pass
"""
PLACES_AND_SAFETY: Final = """
x: meeting room > conference room | room for meetings
x: meeting rooms > conference rooms | rooms for meetings
h: canteen > staff restaurant | dining hall
h: cafeteria | canteen
x: staff room > break room
x: workshop > work room | shop floor
h: warehouse > stockroom | storage building
h: storeroom | stockroom | storage room
x: store room > stockroom | storage room
h: cupboard > cabinet
h: office > place of work
h: entrance > way in | front door
x: main entrance > front door | main door
n: exit > way out
x: emergency exit > fire exit | way out in an emergency
x: emergency exits > fire exits | ways out in an emergency
n: lift > elevator
x: ground floor > street level
x: toilet > washroom
x: toilets > washrooms | loos
x: bicycle | bike
x: bicycles | bikes
x: bike shed > place for bikes
x: bicycle shed > bike shed | place for bikes
x: assembly point > meeting point | muster point | gathering place
x: muster point > assembly point | gathering place
x: fire drill > evacuation exercise | fire practice
x: fire drills > evacuation exercises | fire practices
x: fire alarm > fire bell
x: fire alarms > fire bells
x: fire extinguisher > extinguisher for fires
x: first-aid box > first-aid kit | box with the plasters
x: first-aid kit > first-aid box
x: first aid > help for an injury
x: emergency number > number for emergencies
x: protective equipment > protective gear | safety gear
x: protective clothing > safety clothing | protective gear
x: safety shoes > protective shoes | safety boots
x: safety boots > safety shoes | protective boots
x: safety glasses | safety goggles | protective glasses
x: safety helmet > hard hat | protective helmet
x: safety helmets > hard hats | protective helmets
x: hard hat | safety helmet
x: hard hats | safety helmets
x: ear protection | hearing protection
h: accident > mishap
x: near miss > close call
x: near misses > close calls
h: injury > hurt
h: hazard | danger
x: risk assessment > review of the risks | check of the risks
x: hazardous waste > dangerous waste
h: waste > rubbish
h: spill > spillage
m: equipment > gear | kit
h: instrument > measuring device | measuring instrument
h: gauge > measuring instrument
h: sensor > probe
x: spare part > replacement part | spare
x: spare parts > replacement parts | spares
x: power supply > mains supply
h: housing > casing | outer case
x: accuracy > precision
h: measurement > reading
x: warranty > guarantee
x: warranty period > guarantee period | length of the warranty
x: service interval > time between services
x: maintenance > upkeep | servicing
h: inspection | check
h: repair > fix
h: fault | defect
h: breakdown > failure
x: delivery time > time for delivery | lead time
h: delivery > shipment
h: parcel > package
h: shipment > delivery
m: stock > goods in store
"""
EVENTS_AND_TERMS: Final = """
n: training course > course | training session
h: course > class | training
x: refresher course > repeat course | refresher training
x: safety training > training in safety | safety course
h: induction > introduction for newcomers
m: further education > more training
n: exam > test
h: examination | exam
h: meeting > get-together
n: deadline > cut-off | last day | latest date
x: time limit > cut-off | deadline
x: closing date > deadline | last day
x: start date > first day | date it begins
x: expiry date > date it runs out | end date
x: due date > day it is due
h: schedule > timetable
h: agenda > list of items
m: minutes of the meeting > notes of the meeting
h: decision > ruling
h: exception > special case
h: obligation > duty
h: entitlement > allowance | what one is due
h: requirement > condition
h: restriction > limit
h: limit > cap | ceiling
h: purpose > aim
h: benefit > perk
h: offer > proposal
h: proposal > suggestion
h: question > query
h: query > question
h: enquiry > question
h: answer > reply
h: response > reply | answer
h: request > application
h: application > request
h: cancellation > calling off
h: complaint procedure > way to complain
n: lunch > midday meal
x: main course > main dish
n: dish > plate of food
x: vegetarian > meat-free
x: Christmas party > party at Christmas
n: company > firm
n: firm > company
h: department > section | team
h: headquarters > head office | main office
x: head office > main office | headquarters
h: team > group
h: duration > length
n: location > place | spot
h: abbreviation > short form
h: definition > meaning
h: amount > sum
x: maximum number > highest number | largest number
x: minimum number > smallest number | lowest number
x: maximum amount > highest sum | largest amount
x: minimum amount > smallest sum | lowest amount
x: minimum notice > shortest notice
x: minimum age > lowest age | youngest age
x: maximum length > greatest length
n: photograph | photo
"""
THINGS: Final = f"{PAPERS_AND_IT}{PLACES_AND_SAFETY}{EVENTS_AND_TERMS}"
