// Reads messages with mailparser and prints each as one line of JSON, in the
// form of corpus.Reading: node parse.mjs FILE…
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import libmime from 'libmime';
import { simpleParser } from 'mailparser';

// Without these, mailparser adds what the message does not have: links, images
// in the HTML, a text made of the HTML.
const asItIs = { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true, skipImageLinks: true, keepCidLinks: true };

const reported = new Set(['from', 'sender', 'reply-to', 'to', 'cc', 'bcc', 'subject', 'date', 'message-id',
	'mime-version', 'content-type', 'content-transfer-encoding', 'dkim-signature']);

const mailboxes = field => (Array.isArray(field) ? field : field ? [field] : [])
	.flatMap(f => f.value)
	.flatMap(a => a.group ?? [a])
	.map(a => ({ name: a.name, address: a.address }));

// mailparser leaves the encoded words of most fields to its user.
function otherFields(mail) {
	const header = {};
	for (const { key, line } of mail.headerLines) {
		if (!reported.has(key)) {
			(header[key] ??= []).push(libmime.decodeWords(libmime.decodeHeader(line).value));
		}
	}
	return header;
}

const lines = text => (text || '').replace(/\r\n?/g, '\n').replace(/\n$/, '');

function file(a) {
	const { name: oldName = '', ...parameters } = a.headers.get('content-type')?.params ?? {};
	return {
		name: a.filename ?? '',
		oldName,
		type: a.contentType,
		parameters,
		disposition: a.contentDisposition,
		contentID: a.cid ?? '',
		related: a.related ?? false,
		size: a.content.length,
		sha256: createHash('sha256').update(a.content).digest('hex'),
	};
}

async function read(path) {
	const mail = await simpleParser(readFileSync(path), asItIs);
	// To mailparser, the alternative that is a calendar is a file as well.
	const isCalendar = a => a.contentType === 'text/calendar' && !a.headers.has('content-disposition');
	const calendar = mail.attachments.find(isCalendar);
	return {
		from: mailboxes(mail.from),
		sender: mailboxes(mail.headers.get('sender')),
		replyTo: mailboxes(mail.replyTo),
		to: mailboxes(mail.to),
		cc: mailboxes(mail.cc),
		bcc: mailboxes(mail.bcc),
		subject: mail.subject ?? '',
		date: mail.date.toISOString().replace('.000', ''),
		messageID: mail.messageId,
		header: otherFields(mail),
		text: lines(mail.text),
		html: lines(mail.html),
		calendar: lines(calendar?.content.toString()),
		method: calendar?.headers.get('content-type').params.method ?? '',
		files: mail.attachments.filter(a => a !== calendar).map(file),
	};
}

for (const path of process.argv.slice(2)) {
	process.stdout.write(JSON.stringify(await read(path)) + '\n');
}
