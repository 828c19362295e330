"""`python -m seqlab.studies.tune.worker STUDY CORPUS`: another process takes part in a study."""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path, corpus: Path) -> int:
    """Take part until the study has all its trials.

    Args:
        folder: of the study.
        corpus: folder of its prepared text.

    Returns:
        The exit code.
    """
    from ...base.errors import SeqlabError
    from ...text import Corpus
    from .record import StudyRecord
    from .search import take_part

    try:
        take_part(folder, StudyRecord.load(folder), Corpus.open(corpus), quiet=True)
    except SeqlabError as error:
        print(f"seqlab: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
