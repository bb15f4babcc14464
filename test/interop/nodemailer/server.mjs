// nodemailer's smtp-server on two ports, which keeps what it gets octet for
// octet in Maildir folders. Settings are a JSON file.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';

const settings = JSON.parse(readFileSync(process.argv[2]));

const refusal = (code, text) => Object.assign(new Error(text), { responseCode: code });
const mailboxOf = address => /^(bob|eve)(\+.*)?@/.exec(address)?.[1];

for (const name of ['bob', 'eve']) {
  for (const sub of ['tmp', 'new']) mkdirSync(join(settings.dir, name, sub), { recursive: true });
}

function onAuth(auth, session, callback) {
  const right = auth.method === 'CRAM-MD5' ? auth.validatePassword(settings.password) : auth.password === settings.password;
  if (auth.username !== settings.user || !right) return callback(refusal(535, '5.7.8 wrong name or password'));
  callback(null, { user: auth.username });
}

function onRcptTo(address, session, callback) {
  if (settings.recipients && session.envelope.rcptTo.length >= settings.recipients) {
    return callback(refusal(452, '4.5.3 too many recipients'));
  }
  callback(mailboxOf(address.address) ? null : refusal(550, '5.1.1 no such recipient here'));
}

function onData(stream, session, callback) {
  const chunks = [];
  stream.on('data', chunk => chunks.push(chunk));
  stream.on('end', () => {
    if (stream.sizeExceeded) return callback(refusal(552, '5.3.4 message too large'));
    const how = `ESMTP${session.secure ? 'S' : ''}${session.user ? 'A' : ''}`;
    for (const { address } of session.envelope.rcptTo) {
      const name = randomUUID(), folder = join(settings.dir, mailboxOf(address));
      const head = Buffer.from(`X-Original-To: ${address}\r\nReceived: with ${how}\r\n`);
      writeFileSync(join(folder, 'tmp', name), Buffer.concat([head, ...chunks]));
      renameSync(join(folder, 'tmp', name), join(folder, 'new', name));
    }
    callback(null, 'kept');
  });
}

for (const secure of [false, true]) {
  const server = new SMTPServer({
    name: 'mx.example.net', secure, cert: settings.cert, key: settings.key, size: settings.size,
    maxClients: settings.connections || undefined, authMethods: ['PLAIN', 'LOGIN', 'CRAM-MD5'], authOptional: true,
    allowInsecureAuth: true, disableReverseLookup: true, hideSMTPUTF8: false, hideENHANCEDSTATUSCODES: false, hideDSN: false,
    onAuth, onRcptTo, onData,
  });
  server.on('error', error => console.error(error.message));
  server.listen(secure ? settings.implicit : settings.plain, '127.0.0.1');
}
