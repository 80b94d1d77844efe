import json
import subprocess
import sys

LOADED = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "crm_site.settings"
import django
django.setup()
import crm_site.urls, crm_site.wsgi
from django.contrib import admin
from django.urls import get_resolver
get_resolver().url_patterns
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_the_web_process_loads_no_deep_learning_library() -> None:
    answer = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(json.loads(answer.stdout))

    assert {"django", "crm_agents", "crm_data"} <= loaded
    assert loaded & {"torch", "transformers", "neural", "sklearn", "scipy"} == set()
