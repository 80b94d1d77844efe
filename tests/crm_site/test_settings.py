"""The settings read the environment; each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def settings_with(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "CRM_VAR", "HOME")}
    command = [sys.executable, "-c", f"from crm_site import settings; {code}"]
    return subprocess.run(
        command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False
    )


def test_https_makes_cookies_secure_and_redirects() -> None:
    done = settings_with(
        "print(settings.SECURE_SSL_REDIRECT, settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE)",
        HTTPS="1",
        SECRET_KEY="x" * 50,
    )
    assert done.stdout == "True True True\n"


def test_https_without_a_secret_key_is_refused() -> None:
    done = settings_with("", HTTPS="1")
    assert done.returncode != 0
    assert "HTTPS is on and SECRET_KEY is not set; give it 50 random characters." in done.stderr


def test_other_hosts_without_a_secret_key_are_refused() -> None:
    done = settings_with("", ALLOWED_HOSTS="localhost,crm.example.com")
    assert done.returncode != 0
    assert "ALLOWED_HOSTS is localhost, crm.example.com and SECRET_KEY is not set;" in done.stderr

    done = settings_with("print('up')", ALLOWED_HOSTS="crm.example.com", SECRET_KEY="x" * 50)
    assert done.stdout == "up\n"


def test_plain_http_on_one_machine_needs_no_settings() -> None:
    done = settings_with("print(settings.DEBUG, settings.ALLOWED_HOSTS)")
    assert done.stdout == "False ['localhost', '127.0.0.1', '[::1]']\n"
