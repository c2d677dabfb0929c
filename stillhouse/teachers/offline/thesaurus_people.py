"""What working people have more than one name for: time off, people, pay, money, travel.

One group a line, ``kind: name | name``; what stands before ``>`` is replaced but never put in.
``n`` are nouns with a plural, ``h`` such nouns where no other noun or adjective stands before them
(*a room*, not *a dark room*), ``m`` nouns without a plural, ``b`` both of the latter, ``x`` words
that may also stand before another noun. Units, numbers and words that tell one thing from its
neighbour (*senior*, *night*, *minimum*) are in no group.
"""

from typing import Final

TIME_OFF: Final = """
x: annual leave > holiday | paid holiday | yearly leave
x: leave entitlement > holiday entitlement | leave allowance | holiday allowance
x: holiday entitlement > holiday allowance
x: leave allowance > holiday allowance
x: leave request > holiday request | request for time off
x: leave requests > holiday requests | requests for time off
x: leave year > holiday year
x: leave days > days of leave | days off
x: sick leave > sickness absence | time off sick | time off through illness
x: sick pay > pay while off sick | sickness pay
x: sick note > doctor's note | medical note
x: medical certificate > doctor's certificate | doctor's note | sick note
x: doctor's certificate > doctor's note | medical certificate
x: parental leave > time off as a new parent | leave for new parents
x: paternity leave > time off as a new father | leave for new fathers
x: maternity leave > time off as a new mother | leave for new mothers
x: adoption leave > time off to adopt
x: study leave > time off to study | time off for study
x: unpaid leave > unpaid time off | time off without pay
x: paid leave > paid time off
x: special leave > special time off
x: compassionate leave > time off after a bereavement | bereavement leave
x: bereavement leave > time off after a death in the family
x: emergency leave > time off in an emergency
x: public holiday | bank holiday
x: public holidays | bank holidays
b: leave > time off | holiday
m: time off > days off
b: illness | sickness
n: part-timer | part-time employee
n: day off > free day
x: lunch break > break at lunchtime | midday break
x: lunch hour > midday break
b: overtime > extra hours | hours beyond the normal ones
x: working hours > hours of work | office hours
x: opening hours > opening times | hours of opening
x: core hours > fixed hours
x: flexible working > flexible hours | flexitime
x: remote work > working from home | home working
x: remote working > working from home | home working
x: home working > working from home
x: working from home > home working
x: night work > work at night
x: shift work > working in shifts
x: time sheet | timesheet
"""
PEOPLE_AND_PAY: Final = """
x: line manager > direct manager | boss
x: line managers > direct managers | bosses
h: manager > boss | team lead
h: supervisor > boss | person in charge
h: colleague | workmate | co-worker
h: employee > member of staff | worker
h: employees > people who work here
h: applicant | candidate
h: visitor | guest
h: customer | client
x: supplier | vendor
x: suppliers | vendors
h: contractor > outside worker | outside firm
h: newcomer | new starter | new recruit
n: new employee > new starter | newcomer | new member of staff
n: new starter > newcomer | new employee
h: trainee > person in training
h: intern > person on a work placement
n: internship | work placement
n: owner > person in charge
h: deputy > stand-in | second in command
h: chief executive > head of the company | chief exec
h: receptionist > person at reception
x: front desk | reception desk
x: reception > the front desk
h: nurse > medical staff
x: first aider | trained first-aid person
x: first aiders | trained first-aid people
h: author > writer
n: job interview > interview for a job
b: salary > pay | wages
b: wages > pay | earnings
b: remuneration > pay
x: basic salary > basic pay
x: monthly salary > monthly pay | pay per month
x: pay rise | salary increase | rise in pay
x: pay day > day we get paid
x: payslip | pay slip | wage slip
x: payslips | pay slips | wage slips
b: bonus > extra pay
x: pension contribution > payment into the pension | pension payment
x: pension contributions > payments into the pension | pension payments
x: pension scheme > pension plan
b: pension > retirement money
x: retirement age > age of retirement
x: notice period > period of notice | time of notice
x: probation period > trial period | probationary period | probation
x: probationary period > trial period | probation
b: probation > the trial period
x: employment contract > contract of employment | work contract
x: contract of employment > work contract | employment contract
x: fixed-term contract > temporary contract
h: resignation > notice to quit
h: appraisal | performance review
x: performance review > appraisal
h: grievance > complaint
h: complaint > grievance
h: disciplinary hearing > disciplinary meeting
h: warning > official warning
h: vacancy | open position | job opening
h: recruitment > hiring
b: employment > the job | being employed
m: length of service > time with the firm | time in the job
h: allowance > extra payment | sum allowed
h: subsidy > grant
h: grant > financial support
"""
MONEY_AND_TRAVEL: Final = """
n: expense claim > claim for costs | claim for expenses
n: travel claim > claim for travel costs
x: travel expenses > travel costs | the cost of travelling
x: expenses > costs | outlays
x: receipt > proof of payment | till receipt
x: receipts > proofs of payment | till receipts
h: invoice | bill
h: refund | reimbursement
h: fee > charge
h: charge > fee
x: surcharge > extra charge
x: discount > reduction | money off
h: fine > penalty
h: deposit > down payment
h: budget > money set aside
h: quotation | quote
x: purchase order > order form | order for goods
m: petty cash > small cash
n: company card | firm's card
x: mileage allowance > mileage rate | money for each mile
x: mileage rate > mileage allowance | rate for driving
x: daily allowance > allowance per day | day rate
x: meal allowance > allowance for meals | money for meals
x: business trip > work trip | trip for work
x: business trips > work trips | trips for work
x: business travel > travel for work | work travel
n: journey | trip
x: overnight stay > night away | stay away from home
x: overnight stays > nights away | stays away from home
x: hotel price > room price | price of a hotel room
x: hotel rate > room rate | price of a hotel room
x: hotel room > room for the night
x: accommodation > lodging | a place to stay
h: flight > plane journey
x: train ticket > rail ticket
x: train travel > rail travel | going by train
x: private car > own car
x: company car > firm's car | company vehicle
x: company vehicle > firm's vehicle | company car
x: company vehicles > firm's vehicles | company cars
x: hire car > rental car | rented car
x: car park | parking area
n: parking space | parking place | parking spot
x: parking permit > parking pass | permit for parking
x: driving licence > licence to drive | driver's licence
n: destination > place you travel to
n: price > cost
x: price list > list of prices
x: total cost > overall cost | cost in all
"""
PEOPLE: Final = f"{TIME_OFF}{PEOPLE_AND_PAY}{MONEY_AND_TRAVEL}"
