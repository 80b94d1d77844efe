"use strict";
/* Follows a sweep that goes on: asks for the part of the page that changes. Once the sweep has ended the
   page is loaded anew, because then it has plots and other buttons. */
{
    const part = document.getElementById("crm-sweep");
    const trouble = document.getElementById("crm-sweep-trouble");
    const PATIENT = 15000;
    let wait = 3000;

    async function ask() {
        const answer = await fetch(part.dataset.url);
        if (!answer.ok || answer.redirected) {
            throw new Error(`status ${answer.status}`);
        }
        return { text: await answer.text(), running: answer.headers.get("X-Running") === "yes" };
    }

    function write(text) {
        /* A reader inside the table keeps the focus: it is written anew only where something changed. */
        const fresh = new DOMParser().parseFromString(text, "text/html").body;
        if (fresh.innerHTML.trim() === part.dataset.last) {
            return;
        }
        part.dataset.last = fresh.innerHTML.trim();
        if (!part.contains(document.activeElement)) {
            part.replaceChildren(...fresh.children);
        }
    }

    async function follow() {
        try {
            const state = await ask();
            if (!state.running) {
                window.location.reload();
                return;
            }
            write(state.text);
            trouble.hidden = true;
            wait = 3000;
        } catch {
            trouble.textContent = trouble.dataset.lost;
            trouble.hidden = false;
            wait = Math.min(wait * 2, PATIENT);
        }
        window.setTimeout(follow, wait);
    }

    window.setTimeout(follow, wait);
}
