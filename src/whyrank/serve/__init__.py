"""The server: rankings and their reasons over HTTP, in the forms that clients of rerankers already speak.

app.py        what is served where; `create_app`
shapes.py     what may be asked, and answers in every dialect
problems.py   refusals, in every dialect
batching.py   one worker a model, which takes what is waiting up to a budget of tokens, and refuses what would be late
running.py    uvicorn, and a stop that answers what was begun

FastAPI and what comes with it are imported nowhere else (extra: serve).
"""
