"""A search or a lookup needs only the path of a home, and imports neither Dagster nor torch nor the assets."""

import json
import subprocess
import sys

BY_PATH = """
import json, sys
from orchestration.serving import Lookup, Searcher
hits = Searcher(sys.argv[1]).search("black tent", k=3)
rows = Lookup(sys.argv[1]).products([hit.key for hit in hits])
heavy = {"torch", "dagster", "sentence_transformers", "transformers", "matplotlib", "assets"}
loaded = sorted(heavy & {name.split(".")[0] for name in sys.modules})
print(json.dumps({"hits": [hit.to_dict() for hit in hits], "rows": rows, "loaded": loaded}))
"""


def test_a_path_is_enough(built):
    from orchestration.config.open_home import open_home
    from orchestration.config.settings import load_settings
    from orchestration.serving import Lookup, Searcher

    done = subprocess.run([sys.executable, "-c", BY_PATH, str(built.home)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["loaded"] == []
    settings = load_settings(built.home)
    home = open_home(settings)
    hits = Searcher(home, settings.encoder).search("black tent", k=3)
    assert answer["hits"] == [hit.to_dict() for hit in hits]
    assert answer["rows"] == Lookup(home).products([hit.key for hit in hits])
