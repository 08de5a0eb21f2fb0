// Words that a screen reader reads aloud: what is set anew is read again, so only what differs is.
export function say(place, words) {
  if (place.textContent !== words) place.textContent = words;
}
