"""A stub teacher: a real process on loopback that speaks like Anthropic and like OpenAI, for tests and
benchmarks. No model stands behind it: an answer follows from its request alone.

    python -m tests.stub_teacher [options]      prints `listening on http://127.0.0.1:PORT` once ready
    with start_stub(latency=0.1, plan={"seed": 1, "shares": {"429": 0.02}}) as stub: ...   (process.py)

What it speaks
    POST /v1/messages, /v1/messages/count_tokens       key as `x-api-key` or bearer; `anthropic-version`
    POST /v1/messages/batches, GET …/batches, GET …/{id}, GET …/{id}/results, POST …/{id}/cancel, DELETE …/{id}
    POST /v1/chat/completions (any path that ends so)  `Authorization: Bearer KEY` or `api-key: KEY`
    GET  /v1/models                                    needs either key
    GET  /stub/state, GET /stub/calls?fingerprint=…, GET and POST /stub/plan      no key; not counted

Options (each is also a keyword of `start_stub`, with underscores)
    --port N                   0: any free one (default)
    --key KEY                  any other key gets 401; without it every non-empty key is good
    --models a,b               any other model gets 404; without it every name is good
    --latency S, --jitter S    an answer takes S seconds, plus up to the jitter by the request's hash
    --answer-tokens N          answers are padded to N tokens, and shortened towards it where possible
    --batch-seconds S          how long a batch is processed (default 0.2)
    --max-concurrent N         more model calls in flight get 429 and `retry-after`
    --requests-per-minute N    a token bucket that starts full and holds N; beyond it 429 and `retry-after`
    --tokens-per-minute N      the same for input tokens
    --retry-after S            what `retry-after` says for too many in flight (default 1; fractions go)
    --prices IN,OUT            US dollars per million tokens (default 3,15); a batch costs half, cache
                               writes 1.25 (an hour: 2) and reads 0.1 of IN
    --cache-seconds S          how long a marked prefix is kept after its last use (default 300)
    --plan FILE                the faults, see below
    --log FILE                 a JSON line for each call, written at once: time, endpoint, fingerprint,
                               status, attempt, tokens, cost; for each item of a batch too
    --resume                   go on counting from the lines of --log, and know its batches again
    --die-with-stdin           exit when stdin closes, so that no stub outlives its test

Faults (--plan, POST /stub/plan; every key may be left out)
    {"seed": 1, "shares": {"429": 0.02, "500": 0.01, "529": 0.02, "slow": 0, "cut": 0, "truncated_json": 0,
     "wrong_schema": 0, "refusal": 0, "content_filter": 0, "batch_api_error": 0, "batch_invalid": 0,
     "batch_expired": 0, "batch_canceled": 0}, "slow_seconds": 5, "retry_after": null, "forever_400": 0,
     "forever_400_containing": "", "die_after": null, "hold": false, "only_first_attempts": true}
    Whether attempt k (1, 2, …) of a request meets a fault is a hash of (seed, fingerprint, k): equal runs
    meet equal faults in any order. Attempts that --max-concurrent or a limit per minute turned away do
    not count. `only_first_attempts`: every later attempt of a request is spared the shares.
    429, 529 at once, with `retry-after` where `retry_after` is a number; for OpenAI 529 is a 503.
    500 after the latency. slow: slow_seconds more. cut: the answer's head and half of its body, then the
    connection closes; it is billed, since the model did the work, but not counted as answered. A cut
    submission of a batch leaves the batch behind. truncated_json: HTTP 200 and `end_turn`, but the text
    breaks off. wrong_schema: JSON of another shape. refusal: `stop_reason: refusal`, or `refusal` in
    OpenAI's message. content_filter: that finish_reason, half of the text (Anthropic: a refusal).
    The submission of a batch meets 429, 500, 529, slow and cut; its items meet the last eight.
    forever_400: below 1 a share of the distinct requests by hash, else the number of distinct requests
    (the first that come, so which ones depends on the order); …_containing: those whose text holds it.
    die_after: the call after so many (counted from when the plan was set) ends the process by os._exit(70).
    hold: no model call is answered until another plan is set that does not hold.

What is counted (/stub/state)
    calls: POSTs to a model endpoint, whatever became of them (a batch is one). answered: whole answers,
    direct or as an item of a batch. distinct: fingerprints answered. paid_twice: answered beyond the first
    of a fingerprint. by_status: calls by HTTP status, `cut` apart. max_in_flight, batches, batch_items,
    input_tokens (with cached ones), output_tokens, cache_read_tokens, cache_write_tokens, cost_usd.
    keys_seen: the lengths of the keys, never a key. An answer whose asker hung up counts: it was paid for.
    A fingerprint is the sha256 of everything that makes the question (model, texts, max_tokens, schema,
    thinking, temperature, seed, …), not of cache marks, metadata, `user` or the like; the system prompt as
    one text or as blocks is the same. The log and /stub/calls name it.

Tokens (tokens.py)
    Its own rule, so that an estimate has something to learn: 1-6 letters, 1-3 digits, or one other sign
    is a token; a request has 7 more, each turn 4 more, a JSON schema as many as its canonical text.
"""
