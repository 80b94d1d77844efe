"use strict";
/* Labelling by keyboard. An answer shows the item that is loaded already and travels meanwhile; what comes
   back is the item after that. Without this script the same forms work, a page for each answer. */
{
    const page = document.getElementById("crm-labelling");
    const find = (selector) => page.querySelector(selector);
    const current = find("[data-current]");
    const next = find("[data-next]");
    let shownAt = performance.now();
    let pending = Promise.resolve(); // one answer travels at a time, the next one waits for it

    const form = () => current.querySelector("form");
    const reason = () => current.querySelector("[name=reason]");
    const shown = () => current.querySelector("[data-item]")?.dataset.item ?? "";

    function show(html) {
        current.innerHTML = html;
        find("[data-empty]").hidden = Boolean(html.trim());
        const finder = current.querySelector("[data-finder]");
        if (finder) {
            finder.hidden = false;
        }
        shownAt = performance.now();
    }

    function progress(state) {
        const bar = find("progress");
        bar.max = state.of || 1;
        bar.value = state.done;
        find("[data-progress]").textContent = state.text;
    }

    function trouble(text) {
        const note = find("[data-trouble]");
        note.hidden = !text;
        note.firstElementChild.textContent = text;
    }

    async function send(url, body) {
        const answer = await fetch(url, { method: "POST", body, headers: { Accept: "application/json" } });
        const isJson = (answer.headers.get("Content-Type") || "").includes("json");
        if (answer.redirected || !isJson) {
            throw new Error(`status ${answer.status}`); // signed out, say
        }
        return answer.json();
    }

    async function give(button) {
        const said = form();
        if (!current.contains(button)) {
            return; // the answer before it failed, and its item is shown again
        }
        said.elements.seconds.value = ((performance.now() - shownAt) / 1000).toFixed(1);
        const body = new FormData(said);
        body.set("answer", button.value);
        const answered = current.innerHTML;
        const why = reason().value;
        show(next.innerHTML);
        next.innerHTML = "";
        body.set("showing", shown());
        try {
            const state = await send(said.action, body);
            if (state.error) {
                throw new Error(state.error, { cause: "refused" });
            }
            next.innerHTML = state.next;
            if (!shown()) {
                show(next.innerHTML);
                next.innerHTML = "";
            }
            progress(state.progress);
            find("[data-undo]").hidden = false;
            trouble("");
        } catch (error) {
            next.innerHTML = current.innerHTML;
            show(answered);
            reason().value = why;
            trouble(error.cause === "refused" ? error.message : page.dataset.lost);
        }
    }

    async function undo() {
        const button = find("[data-undo]");
        if (button.hidden) {
            return;
        }
        try {
            const state = await send(page.dataset.undoUrl, new FormData(button.form));
            if (state.error) {
                button.hidden = true;
                trouble(state.error);
            } else {
                next.innerHTML = current.innerHTML || next.innerHTML;
                show(state.item);
                progress(state.progress);
                trouble("");
            }
        } catch {
            trouble(page.dataset.lost);
        }
    }

    function filter(text) {
        const wanted = text.trim().toLowerCase();
        for (const button of current.querySelectorAll(".crm-answers button")) {
            button.hidden = !button.textContent.toLowerCase().includes(wanted);
        }
    }

    function key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) {
            return;
        }
        const typing = event.target.matches("input, textarea, select");
        if (typing) {
            if (event.key === "Escape") {
                event.target.blur();
            } else if (event.key === "Enter" && page.contains(event.target)) {
                event.preventDefault(); // else the first button would be pressed
                if (event.target.matches("[data-find]")) {
                    current.querySelector(".crm-answers button:not([hidden])")?.click();
                } else {
                    event.target.blur();
                }
            }
            return;
        }
        const name = event.key.toLowerCase();
        const button = current.querySelector(`button[data-key="${CSS.escape(name)}"]`);
        if (button) {
            button.click();
        } else if (name === "u") {
            pending = pending.then(undo);
        } else if (name === "r" && reason()) {
            reason().focus();
        } else if (name === "f" && current.querySelector("[data-find]")) {
            current.querySelector("[data-find]").focus();
        } else if (name === "?") {
            find("[data-help]").open = !find("[data-help]").open;
        } else {
            return;
        }
        event.preventDefault();
    }

    page.addEventListener("submit", (event) => {
        event.preventDefault();
        if (event.target.contains(find("[data-undo]"))) {
            pending = pending.then(undo);
        } else if (event.submitter) {
            pending = pending.then(() => give(event.submitter));
        }
    });
    page.addEventListener("input", (event) => {
        if (event.target.matches("[data-find]")) {
            filter(event.target.value);
        }
    });
    document.addEventListener("keydown", key);
    show(current.innerHTML);
}
