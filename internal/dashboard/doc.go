// Package dashboard is the operator's page: what the daemon does at the moment, as a browser shows
// it, and what an operator can do about it.
//
//	o := admin.Options{Dashboard: dashboard.Handler(), ...}
//
// It is files and nothing else. Whatever they show or change they ask of the operator's API, from
// the page's own origin, as anybody could.
//
// # Design
//
// The files are JavaScript modules, a style sheet and a page, written by hand and served as they
// are: there is no build step. They stand below a path that is named after what they hold, so that
// a browser keeps them for good and never mixes those of two daemons; only the page itself is asked
// for again, by its ETag. Paths are relative, for whoever serves the API below a prefix.
//
//	assets/page.html      the skeleton: every section, dialog and label
//	assets/main.js        joins the modules
//	assets/poll.js        asks for the status, once a second while somebody looks
//	assets/shape.js       what of a status the others may rely on, whoever answers
//	assets/history.js     the last ten minutes, from what was asked
//	assets/api.js         requests, tokens, and what went wrong, in a sentence
//	assets/dom.js         elements, made of names and text alone
//	assets/...            one section of the page each
//
// The modules are formatted as prettier does with --print-width 100 --single-quote.
//
// # Guarantees
//
//  1. The page loads nothing from elsewhere and runs no other script than the files here: its
//     content security policy forbids both, inline scripts and styles too.
//  2. No text that came from outside (IDs, users, addresses, settings) becomes markup: the policy
//     makes browsers refuse every way to make markup from text.
//  3. What a daemon does not say, being of another version than the page, is shown as unknown.
//  4. Nobody frames the page, and no address that it leads to is told of it.
//
// # Limits
//
// The page holds ten minutes of history, 200 events and one page of sessions, however long it is
// open. All files together weigh at most 300 KiB.
package dashboard
