// Verifies the DKIM signatures of messages with mailauth and prints, for each
// message, one line of JSON with what it found:
// node verify.mjs RECORDS FILE…
// RECORDS is a file with the DNS records there are, as a JSON object.
import { readFileSync } from 'node:fs';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';

const [recordsPath, ...paths] = process.argv.slice(2);
const records = JSON.parse(readFileSync(recordsPath));

async function resolver(name) {
	if (!(name in records)) {
		throw Object.assign(new Error(`no record for ${name}`), { code: 'ENOTFOUND' });
	}
	return [[records[name]]];
}

for (const path of paths) {
	const { results } = await dkimVerify(readFileSync(path), { resolver });
	const found = results.map(({ signingDomain, selector, algo, format, status }) =>
		({ domain: signingDomain, selector, algorithm: algo, canonicalization: format, result: status.result, comment: status.comment ?? '' }));
	process.stdout.write(JSON.stringify(found) + '\n');
}
