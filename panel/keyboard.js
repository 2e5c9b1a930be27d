// What a page needs that Streamlit does not give it, for keyboards and screen readers: a link past the navigation, a
// region that is the main one, and a heading. Their nodes stand beside Streamlit's own, never between them.

const REACH = 'a, button, input, select, textarea, [tabindex]:not([tabindex="-1"])';

function skipLink() {
  const link = document.createElement("a");
  link.className = "fd-skip";
  link.href = "#content";
  link.textContent = "Skip to the content";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const main = document.querySelector('[data-testid="stMain"]');
    main.focus();
    main.scrollTo({ top: 0 });
  });
  return link;
}

// Keyboards scroll what they can focus: what is cut off, and has nothing to focus in it, is made to be focused itself.
function reachable() {
  for (const box of document.querySelectorAll(".fd-scroll, .fd-panel")) {
    const cut = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    if (cut && !box.querySelector(REACH)) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

export default function ({ data }) {
  const main = document.querySelector('[data-testid="stMain"]');
  let heading = document.querySelector("h1.fd-heading");
  if (!heading) {
    heading = document.createElement("h1");
    heading.className = "fd-heading fd-aloud";
    main.prepend(heading);
    main.setAttribute("role", "main");
    main.tabIndex = -1;
    document.body.prepend(skipLink());
    setInterval(reachable, 1000);
  }
  if (heading.textContent !== data.title) heading.textContent = data.title;
  reachable();
}
