// The pages work without this script. With it, a page keeps itself up to date, and an event can be
// copied.
"use strict";

const interval = 5000;

// refresh replaces the content of a live page with what the server shows now. It leaves the page
// alone while somebody works in it: a field or an opened text has the focus, or text is selected.
async function refresh(main) {
  const busy = main.contains(document.activeElement) || !document.getSelection().isCollapsed || main.querySelector("details[open]");
  if (document.hidden || busy) {
    return true;
  }
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!response.ok) {
    return true;
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.querySelector("main");
  if (fresh && fresh.innerHTML !== main.innerHTML) {
    main.replaceChildren(...fresh.childNodes);
    prepare(main);
  }
  document.querySelector("footer time")?.replaceWith(page.querySelector("footer time"));
  return fresh?.hasAttribute("data-live");
}

function follow(main) {
  document.querySelector("[data-live-note]")?.removeAttribute("hidden");
  const again = () => setTimeout(async () => {
    let goOn = true;
    try {
      goOn = await refresh(main);
    } catch {
      // The server is away; the next look may find it.
    }
    if (goOn) {
      again();
    } else {
      document.querySelector("[data-live-note]")?.setAttribute("hidden", "");
    }
  }, interval);
  again();
}

// prepare makes the buttons to copy work, which only secure pages may do.
function prepare(within) {
  if (!navigator.clipboard) {
    return;
  }
  for (const button of within.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    });
  }
}

const main = document.querySelector("main");
prepare(main);
if (main.hasAttribute("data-live")) {
  follow(main);
}
