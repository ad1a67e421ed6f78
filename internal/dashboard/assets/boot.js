// Sets the theme that was chosen here before anything is painted. Not a module, so that it runs
// first; theme.js does the rest.
try {
  const chosen = localStorage.getItem('curfew-theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is switched off: the system's theme it is.
}
