"""What to do when a check of the gate is red, for the page: one entry for a check or its whole group."""

from typing import Final

_CHANGED_BY_HAND: Final = (
    "A table was written by hand, or by another version of the code: run `dvc repro` and let the "
    "stages write it again."
)

# By the check's name, else by its group, the part of the name before the dot.
_REMEDIES: Final = {
    "schema": _CHANGED_BY_HAND,
    "references": _CHANGED_BY_HAND,
    "schema.turns": "Mend the prompt file whose answers give such rows, or reject the rows named here in "
    "`data/seed/review.jsonl`.",
    "schema.unique": "Two stages wrote the same row, or a fix in `data/seed/review.jsonl` gave two rows one "
    "text: take the doubled line out, then run `dvc repro`.",
    "references.accounts": "A pair got lost or was counted twice between judge and review: run `dvc repro "
    "--force judge curate review split`; if it stays, it is a bug.",
    "leakage.question": "Reject one of the two wordings in `data/seed/review.jsonl`, or change `split.seed`.",
    "leakage.fact": "The teacher gave one fact two names: reject the rows named here in "
    "`data/seed/review.jsonl`, or change `split.seed`.",
    "leakage.document": "The dataset is older than its parameters: run `dvc repro --force split`.",
    "leakage.focus": "The focus file changed after the rows were made: run `dvc repro render`, so that "
    "nothing is asked about a held-out document.",
    "leakage.gold": "Reword the gold question, or lower `curate.copied_similarity` and "
    "`curate.copied_words`, so that curation drops such rows.",
    "checked.executes": "A row went on although what it says did not run: set `curate.thresholds.executes` to 1.0 and "
    "run `dvc repro`.",
    "checked.review": "Mend what the reviewers found (the prompt, the document, a limit of the judge), or review "
    "more rows with `stillhouse review`: the interval narrows. Or raise `review.max_error_rate`.",
    "coverage": "Ask for more: raise `fraction`, `pairs` or `phrasings` in `render.plan`, add documents, or "
    "lower the limit under `validate:`. See `data/curated/rejections.parquet` for what was dropped and why.",
    "coverage.documents": "The documents named here gave no row that was kept: look in "
    "`data/generated/rejections.parquet` and `data/curated/rejections.parquet` why, raise their "
    "`fraction`, exclude them in `sources.yaml`, or raise `validate.untaught_documents_max`.",
    "coverage.tasks": "The tasks named here gave too few rows: raise their `fraction` in `render.plan`, or "
    "take them out of it.",
    "coverage.categories": "Ask for more in tasks of the categories named here (`category` in the prompt files, "
    "`fraction` in `render.plan`), or lower `validate.categories_min`. `reports/coverage.json` tells planned from there.",
    "coverage.voices": "The variations and personas named here gave too few rows: take them out of `render.plan`, or "
    "mend the wording that they stand for.",
    "lengths": "Ask for shorter ones in the prompt file (a variation such as `brief`), lower the judge's "
    "bounds under `judge:`, or raise the limit under `validate:`.",
    "distribution": "Ask for less of this kind or more of the others in `render.plan`, or raise the limit "
    "under `validate:` and accept what it costs the student.",
    "distribution.opening_share": "Ask for more `variations` or `personas` in `render.plan`, or reword the "
    "prompt, so that questions begin differently.",
    "collapse": "The rows say the same thing in the same way: ask for more `variations` or `personas` in "
    "`render.plan`, for more documents, or for fewer phrasings of each fact; or raise the limit under "
    "`validate.collapse`. `reports/quality.json` holds the figures beside those of the corpus.",
    "collapse.refusal_share": "Answers that decline where the passage answers teach a student to decline: reword "
    "the prompt, or reject such rows in `data/seed/review.jsonl`.",
    "baseline": "The dataset is another one than that of the baseline: `stillhouse baseline show` tells what "
    "moved. Mend it, or accept the new one with `stillhouse baseline set`.",
    "production.measured": "Add conversations to `data/seed/prompts.jsonl`, lower "
    "`validate.production.prompts_min`, or take the limits under `validate.production` out until there are "
    "enough.",
    "production": "Ask about what people ask: add documents, weigh the tasks with `stillhouse plan --focus`, or "
    "raise the limit under `validate.production`. `reports/quality.json` names the prompts that are farthest.",
    "personal": "Take the data out of the document, or reject the rows named here in "
    "`data/seed/review.jsonl`. Where it belongs there (the firm's own number), raise the limit under "
    "`validate:`.",
}


def remedy_for(name: str) -> str:
    """Return what to do when the check ``name`` (``group.check``) is red.

    Raises:
        KeyError: neither the check nor its group is known.
    """
    return _REMEDIES[name] if name in _REMEDIES else _REMEDIES[name.partition(".")[0]]
