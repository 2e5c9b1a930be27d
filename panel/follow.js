// Follows a link to another page of the panel without loading it anew: the address first, then the page, as the
// browser's own way back does it. (Asked of the server from a part that refreshes, the part's next question may cross
// the answer, and Streamlit then clears the page that has just come.)

function follow(address) {
  history.pushState({}, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}
