"""How people ask and put things: set phrases of the thesaurus, replaced wherever they stand.

The notation is that of `thesaurus_people`.
"""

from typing import Final

PHRASES: Final = """
p: by what date > by when | by what day | by which date
p: on what date > on which day | when
p: on which date > on which day | when
p: on which day | on what day
p: at what time > when | at what hour | what time
p: until what time > until when | how late
p: until when > how late
p: from what time > from when | how early
p: how often | how frequently
p: how frequently | how often
p: how soon | how quickly | how fast
p: how quickly | how soon | how fast
p: within how many > in how many | inside how many
p: in which place > where
p: which form > what form | which paper | which sheet
p: on which form > with which form | on what form | on which paper | using what form
p: which document > what document
p: which program > what program | which piece of software
p: which room > what room
p: on which extension > under which internal number | on what number inside the house
p: what percentage of > what share of | what proportion of
p: how many per cent of > what share of | what percentage of
p: what percentage > how many per cent
p: what number do I ring > what number do I dial | which number should I call
p: how much is > what is
p: how much do I have to pay for > what do I pay for | what will I be charged for
p: how much does > what does
p: do I have to > must I | do I need to | have I got to | should I
p: do I need to > must I | do I have to | have I got to | am I supposed to
p: must I > do I have to | do I need to | have I got to
p: can I > may I | could I | am I allowed to
p: may I > can I | am I allowed to | could I
p: am I allowed to > can I | may I | is it OK for me to
p: I can > I may | I am able to | I'm allowed to
p: I may > I can | I'm allowed to
p: I must > I have to | I need to | I've got to
p: I have to > I must | I need to | I've got to
p: at most | at the most
p: at least | no less than
p: up to a maximum of > up to | at most
p: a maximum of > at most
p: a minimum of > at least
p: is there a limit to > is there a cap on | is there any limit on
p: maximum number of > highest number of | largest number of
p: minimum number of > smallest number of | lowest number of
p: smallest number of > minimum number of | lowest number of
p: in advance > beforehand | ahead of time | up front
p: how far in advance > how far ahead | how long beforehand | how early
p: how long before > how far ahead of | how much ahead of
p: prior to > before
p: as soon as possible > at once | right away
p: immediately > at once | straight away | right away
p: without delay > at once
p: during > in the course of
p: per year > a year | each year | every year
p: a year > per year | every year | each year
p: per month > a month | each month
p: per week > a week | each week
p: per day > a day | each day
p: a night > per night | each night | for one night
p: per night > a night | for one night
p: each year > every year | a year
p: at a time > in one go
p: in writing > on paper | in written form
p: in person > face to face
p: by telephone > by phone | over the phone | on the phone
p: by email > by e-mail | in an email
p: online > on the web | over the internet
p: for free > free of charge
p: free of charge > for nothing | for free | at no cost
p: off sick > ill | away ill
p: in charge of > responsible for
p: responsible for > in charge of
p: is responsible for > looks after | is in charge of | takes care of
p: is in charge of > looks after | is responsible for | heads
p: who runs > who heads | who manages | who leads | who is in charge of
p: is called > is named | goes by the name of | is known as
p: are called > are named | go by the name of | are known as
p: what is meant by > what do people mean by | what does one understand by
p: in case of > in the event of
p: in the event of > in case of
p: in order to > to
p: with regard to > about
p: regarding > about
p: because of > owing to | due to
p: due to > because of
p: approximately > about | roughly
p: additional | extra | further
p: extra | additional
p: several > a number of
p: mandatory | compulsory
p: obligatory > compulsory
p: compulsory | mandatory
p: voluntary > optional
p: permitted > allowed
p: available > on hand
p: entitled to > owed | due
p: eligible for > entitled to | allowed
p: necessary > needed
p: required > needed
p: lost > missing
p: missing > lost
p: damaged > broken
p: faulty > broken | not working
p: urgent > pressing
p: new employees > new starters | newcomers | people who have just joined
p: employees > staff | the people who work here
p: a person > somebody | someone | anyone
p: an employee > someone who works here | a member of staff | somebody on the staff
p: everybody > everyone
p: everyone > everybody
p: each person > everyone
p: nobody > no one
p: unless > except if
p: as long as > provided that
p: provided that > as long as
p: the highest price > the most it may cost | the upper limit
p: the lowest price > the least it may cost | the cheapest price
p: who is > who's
p: whose name is listed for > who is listed as | who is down as | who is named as
p: who works as > who has the job of
p: what is > what's
p: I would like to know > I'd like to know
p: I am > I'm
p: do not > don't
p: does not > doesn't
p: is not > isn't
p: are not > aren't
p: cannot > can't
p: must not > mustn't | may not
p: do I reach > do I get hold of | do I get in touch with | do I get through to
p: can I reach > can I get hold of | can I get in touch with | can I ring
p: can I use > may I use | could I use
p: do we > do people here
p: am I supposed to > do I have to | should I
p: the price of > the cost of
p: what is the price of > what does one pay for | what do you charge for | what is the cost of
p: the fee for > the charge for
p: is the price of > is the cost of
p: is the deadline for > is the cut-off for | is the last day for
p: is the time limit for > is the cut-off for
p: is based > has its office | is located | sits
p: on foot > walking
p: abroad > in another country | outside the country | overseas
p: at night > during the night
p: in an emergency > when something goes wrong badly | if there is an emergency
p: at the weekend > on a Saturday or Sunday
p: weekends > Saturdays and Sundays
p: outside working hours > after hours | when the office is shut
p: out of hours > after hours
p: on time > punctually
p: off work > away from work
p: on sick leave > off sick | ill at home
p: on leave > away on holiday | on holiday
p: on annual leave > on holiday
p: on duty > at work
p: on call > on standby
p: work from home > work at home
"""
