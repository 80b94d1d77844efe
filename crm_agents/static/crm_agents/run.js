"use strict";
/* Follows a run that is going on: asks for its state and writes it into the page. Once the run has ended
   the page is loaded anew, because then it has other things to say. */
{
    const page = document.getElementById("crm-run");
    const PATIENT = 10000;
    let wait = 1000;

    const find = (selector) => page.querySelector(selector);

    function writeMetrics(metrics) {
        const list = find("[data-metrics]");
        list.replaceChildren(
            ...metrics.flatMap((metric) => {
                const name = document.createElement("dt");
                const value = document.createElement("dd");
                name.textContent = metric.label;
                value.textContent = metric.text;
                return [name, value];
            })
        );
        find("[data-no-metrics]").hidden = metrics.length > 0;
    }

    function writeStages(stages) {
        for (const stage of stages) {
            const item = find(`[data-stage="${stage.name}"]`);
            item.dataset.state = stage.state;
            if (stage.state === "now") {
                item.setAttribute("aria-current", "step");
            } else {
                item.removeAttribute("aria-current");
            }
        }
    }

    function write(state) {
        for (const element of page.querySelectorAll("[data-text]")) {
            const text = state[element.dataset.text];
            if (element.textContent !== text) {
                element.textContent = text;
            }
        }
        find("[data-status] .crm-badge").className = `crm-badge crm-badge--${state.tone}`;
        find("[data-status] .crm-badge").textContent = state.status_text;
        find("progress").value = state.percent;
        find(".crm-sparkline polyline").setAttribute("points", state.sparkline);
        find(".crm-log").scrollTop = find(".crm-log").scrollHeight; // the newest line
        find("[data-log-card]").hidden = !state.log;
        find("[data-notice]").hidden = !state.notice;
        find("[data-notice] p").textContent = state.notice;
        writeMetrics(state.metrics);
        writeStages(state.stages);
    }

    async function ask() {
        const answer = await fetch(page.dataset.url, { headers: { Accept: "application/json" } });
        if (!answer.ok || answer.redirected) {
            throw new Error(`status ${answer.status}`);
        }
        return answer.json();
    }

    async function follow() {
        const trouble = find("[data-trouble]");
        try {
            const state = await ask();
            if (!state.active) {
                window.location.reload();
                return;
            }
            write(state);
            trouble.hidden = true;
            wait = 1000;
        } catch {
            trouble.textContent = page.dataset.lost;
            trouble.hidden = false;
            wait = Math.min(wait * 2, PATIENT);
        }
        window.setTimeout(follow, wait);
    }

    window.setTimeout(follow, wait);
}
