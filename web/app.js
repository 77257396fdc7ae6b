// The page to chat on: shows what the client tells, and asks for what is typed and pressed.
//
// What people wrote comes into the page as text and nothing else (textContent, and bdi around every name). The page lives
// beside other devices of its user: what is unread is what the server's markers say, on all of them. Where the server has
// no history for that, a message is confirmed when it was read, so what is unread is unread after a reload too. All that
// is known of a conversation is in its Talk; what is seen of it is drawn from that. No inline style, no markup from
// strings, nothing from elsewhere.
//
// Each file has one idea. page.js is what all of them know; talk.js and what it is made of draw nothing; the others draw what
// is known and do what is pressed, and name each other in functions only, so that they load in any order.

import './account.js';
import './asks.js';
import './begin.js';
import './changes.js';
import './connection.js';
import './devices.js';
import './group.js';
import './heads.js';
import './heard.js';
import './keys.js';
import './search.js';
import './settings.js';
import { comeBack, setWay } from './gate.js';
import { keptToken } from './kept.js';
import { $ } from './page.js';

$('gate').hidden = false;
setWay();
if (keptToken() === null) $('name').focus();
else comeBack();
