"""Ways to open or close a question: frames of general English, for any organisation."""

from typing import Final

# What stands before an indirect question (*how long the course lasts*).
ASIDES: Final = (
    "Can you tell me {}", "I need to know {}", "Do you know {}", "Could you remind me {}",
    "I would like to know {}", "Please tell me {}", "I am trying to find out {}", "Any idea {}",
)  # fmt: skip
INDIRECT: Final = (
    "Does anyone know {}?", "I was wondering {}.", "I'd like to find out {}.",
    "Can somebody tell me {}?", "I forget {}.", "I can't remember {}.", "Remind me {}, please.",
    "Could you look up {}?", "I've no idea {}.", "I'm not sure {}.", "Please could you say {}?",
    "Would you happen to know {}?", "Tell me {}.", "I couldn't find out {}.", "Let me know {}.",
    "Is it written down anywhere {}?", "Do the rules say {}?", "I need to check {}.",
    "I want to be sure {}.", "It isn't clear to me {}.", "Have you any idea {}?",
    "I've been trying to work out {}.", "Does it say somewhere {}?", "Could you check {} for me?",
)  # fmt: skip
# The same from somebody who asks for somebody else; *I* becomes *they*.
FOR_OTHERS: Final = (
    "A colleague wants to know {}.", "A new starter is asking {}.", "My team are asking {}.",
    "Someone has just asked me {}.", "A friend in another team wonders {}.",
    "What do I say to someone who asks {}?", "One of us wants to know {}.",
    "People keep asking me {}.",
)  # fmt: skip
# What stands before a whole question.
BEFORE: Final = (
    "Quick question: {}", "Sorry to ask, but {}", "Hello, {}", "Hi there, {}", "Hi! {}",
    "I have just started here and wonder: {}", "I can't find it anywhere: {}",
    "My manager asked me: {}", "Just checking: {}", "One more thing: {}", "Good morning, {}",
    "Help, please: {}", "Something I've always wondered: {}", "A short one: {}",
    "So, {}", "Remind me: {}", "Excuse me, {}", "For my notes: {}", "Silly question, perhaps: {}",
    "We were arguing about this at lunch: {}", "I should know this, but {}",
    "Before I get it wrong: {}", "I'd rather ask than guess: {}", "Out of interest, {}",
    "To be on the safe side: {}", "I've forgotten again: {}", "Could you help me? {}",
    "I'm new here. {}", "This came up today. {}", "Nobody around me knows. {}",
    "I looked but couldn't find it. {}", "Someone just asked me this. {}",
    "I want to do this right. {}", "I'm a bit confused. {}", "OK, {}", "Right, {}",
)  # fmt: skip
AFTER: Final = (
    "{}, please?", "{}, do you know?", "{} again?", "{}? Anyone know?", "{}? I forget.",
    "{}? Thanks!", "{}? I can't find it.", "{}? Need to know today.", "{}? It's not clear to me.",
    "{}? My team leader wants to know.", "{}? Just so I get it right.", "{}? Does it say?",
    "{}? Thanks in advance.", "{} here?",
)  # fmt: skip
# What asks who holds a post.
FOR_PEOPLE: Final = (
    "I need to speak to {}. Who is it?", "I've been told to see {}. Who is that?",
    "Does anyone know who {} is?", "Whose job is it to be {}?", "I'm writing to {}. Which name?",
    "My letter must go to {}. Who is it?", "What is {} called?", "What's the name of {}?",
    "I'm looking for {}. Who should I ask for?", "Who do we have as {}?", "Who is {} these days?",
    "I forget who {} is.", "Someone asked me who {} is.", "Tell me who {} is.",
)  # fmt: skip
# What asks for a thing by its noun (*the price of the lunch*).
FOR_NOUNS: Final = (
    "I need {}.", "Could you give me {}?", "Can you look up {} for me?", "Does anyone know {}?",
    "I have forgotten {}.", "I can't find {}.", "I'm after {}.", "Tell me {}, please.",
    "{}, please?", "Any idea of {}?", "Remind me of {}.", "I'm looking for {}.",
    "Someone is asking me for {}.", "What was {} again?", "What do I put down as {}?",
    "Could I have {}, please?", "I've been asked for {}.", "Do you happen to know {}?",
    "I must write down {}. What is it?", "I want to be sure of {}. What is it?",
)  # fmt: skip
# What names the thing first, so that the question may say *it*.
ABOUT: Final = (
    "It's about {}. {}", "A question about {}: {}", "I have a question about {}. {}",
    "I'm reading about {}. {}", "You know {}: {}", "We were talking about {}. {}",
    "Something about {}: {}", "Somebody mentioned {}. {}", "I'm dealing with {}. {}",
    "Concerning {}: {}", "I want to understand {}. {}", "Take {}. {}", "This is about {}: {}",
    "I've been asked about {}. {}", "Let's talk about {}. {}", "As for {}: {}",
)  # fmt: skip
SUPPOSE: Final = (
    "Suppose {}. {}", "Say {}. {}", "Imagine {}. {}", "Let's say {}. {}", "Picture this: {}. {}",
    "Assume {}. {}",
)  # fmt: skip
PLANS: Final = (
    "I want to {}. {}", "I need to {}. {}", "I'm going to {}. {}", "I'd like to {}. {}",
    "I'm about to {}. {}", "I have to {}. {}", "Suppose I want to {}. {}", "I plan to {}. {}",
    "I'm supposed to {}. {}", "Someone has asked me to {}. {}", "I still have to {}. {}",
)  # fmt: skip
# Openings that suit questions of one kind.
BY_KIND: Final = {
    "money": ("I'm working out a budget: {}", "I don't want to overspend: {}",
              "I'm adding up the costs. {}", "Money question: {}", "I'm watching the pennies: {}"),
    "duration": ("I'm planning ahead: {}", "I'm drawing up a timetable. {}",
                 "I'm working out the dates: {}", "I have my diary open: {}"),
    "date": ("I'm filling in my diary: {}", "I don't want to miss it: {}", "I'm planning ahead. {}"),
    "time": ("I'm planning my day: {}", "I don't want to be late: {}", "I have my diary open: {}"),
    "count": ("I'm making a list: {}", "I'm counting: {}", "I don't want to break a rule: {}"),
    "measure": ("I'm comparing figures: {}", "I'm writing it into a table: {}",
                "I need the figure: {}"),
    "percent": ("I'm doing the sums: {}", "I need the figure: {}"),
    "code": ("I'm filling in the paperwork: {}", "I'm tidying my files: {}"),
    "identifier": ("I'm filling in the paperwork: {}", "I'm updating a list: {}"),
    "person": ("I need to talk to the right person: {}", "I'm writing an email: {}"),
    "place": ("I don't know my way around yet: {}", "I've looked everywhere: {}"),
}  # fmt: skip
# Openings that suit questions which speak of such things.
BY_WORD: Final = {
    "hotel": "Before I book anything: {}", "travel": "Before I book anything: {}",
    "trip": "I'm off on a trip soon. {}", "flight": "I'm about to book a flight. {}",
    "annual leave": "I'm planning some time off. {}",
    "leave request": "I'm planning some time off. {}",
    "holiday": "I'm planning some time off. {}", "form": "I'm filling in the paperwork: {}",
    "claim": "I have the receipts here: {}", "receipt": "I have the receipt here: {}",
    "visitor": "I'm expecting somebody. {}", "visitors": "I'm expecting some people. {}",
    "ill": "I don't feel well. {}", "sick": "I don't feel well. {}",
    "illness": "I'm not feeling well. {}", "lunch": "I'm getting hungry: {}",
    "password": "I'm setting up my login. {}", "passwords": "I'm setting up my login. {}",
    "pension": "I'm thinking about later: {}", "course": "I'd like to learn something. {}",
    "supplier": "I'm dealing with a new firm. {}", "invoice": "There's a bill on my desk. {}",
    "probation": "I'm still new here. {}", "hotels": "Before I book anything: {}",
    "meeting": "I'm setting up a meeting. {}", "parking": "I'm coming by car. {}",
}  # fmt: skip
