"""People judge reasons: what they are asked, in which order, what they said, and what came of it.

settings.py    what an experiment may say
items.py       what is looked at: a document, and what one or two systems say about it
study.py       an experiment with its items; what must not change once judging began
assignment.py  who is given what next, and which system stands on which side
store.py       what judges said: SQLite, nothing acknowledged is lost
records.py     an answer, and the sheet of answers to one item
shown.py       what a browser is shown of an item, never a system's name; and the sheet that it answers with
app.py         the page and what it asks; FastAPI is imported nowhere else in this room
judged.py      what was asked and what was answered; summary.py, correlation.py and exports.py say what came of it
"""
