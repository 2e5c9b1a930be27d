// Shows HTML that changes only while nobody is at it: pointer over it, focus inside, or a record opened.
// What came meanwhile waits, and a button says so. A plain click on a link to another page follows it (follow.js).

const RECHECK_MS = 300;

function busy(box) {
  const { body } = box;
  return body.matches(":hover") || body.contains(document.activeElement) || body.querySelector("details[open]") !== null;
}

function apply(box) {
  box.body.innerHTML = box.pending;
  box.shown = box.pending;
  box.subject = box.pendingSubject;
}

function settle(box, force) {
  const same = box.shown === box.pending;
  if (!same && (force || box.subject !== box.pendingSubject || !busy(box))) apply(box);
  box.note.style.visibility = box.shown === box.pending ? "hidden" : "visible";
}

export default function ({ parentElement, data }) {
  const box = parentElement.querySelector(".fd-steady");
  box.body = box.querySelector(".fd-steady-body");
  box.note = box.querySelector(".fd-steady-note");
  box.body.setAttribute("aria-label", data.alt);
  box.pending = data.html;
  box.pendingSubject = data.subject;
  settle(box, false);
  box.note.onclick = () => settle(box, true);
  box.body.onmouseleave = box.body.onfocusout = () => setTimeout(() => settle(box, false), RECHECK_MS);
  box.body.onclick = (event) => {
    const link = event.target.closest("a[data-follow]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    follow(link.href);
  };
}
