// Joins the modules: each status that comes is shown by all of them.
import * as access from './access.js';
import * as cards from './cards.js';
import * as drain from './drain.js';
import * as events from './events.js';
import * as header from './header.js';
import { History, reasonsOf } from './history.js';
import * as plots from './plots.js';
import * as poll from './poll.js';
import * as session from './session.js';
import * as sessions from './sessions.js';
import * as settings from './settings.js';
import * as theme from './theme.js';
import * as tiles from './tiles.js';
import * as token from './token.js';
import * as wheel from './wheel.js';

const history = new History();

poll.news.addEventListener('status', ({ detail: { status, restarted } }) => {
  const rates = history.add(status, restarted);
  access.show(status);
  drain.show(status);
  if (document.hidden) return; // it is drawn when somebody looks
  tiles.show(status, rates, history.recentLateness(status));
  plots.show(history, reasonsOf(status));
  wheel.show(status, restarted);
  cards.show(status, rates);
});

theme.start();
token.start();
header.start();
drain.start();
session.start();
session.whenUser(sessions.listUser);
sessions.start();
settings.start();
poll.start();
events.start();
