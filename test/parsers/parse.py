"""Reads messages with Python's email and prints each as one line of JSON, in
the form of corpus.Reading: python3 parse.py FILE…"""

import datetime
import email
import email.policy
import hashlib
import json
import pathlib
import sys

REPORTED = {
    "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id",
    "mime-version", "content-type", "content-transfer-encoding", "dkim-signature",
}


def unicode_label(label):
    return label[4:].encode().decode("punycode") if label.startswith("xn--") else label


def unicode_domain(address):
    local, at, domain = address.rpartition("@")
    return local + at + ".".join(map(unicode_label, domain.split(".")))


def mailboxes(field):
    if field is None:
        return []
    return [{"name": a.display_name, "address": unicode_domain(a.addr_spec)} for a in field.addresses]


def other_fields(message):
    header = {}
    for name, value in message.items():
        if name.lower() not in REPORTED:
            header.setdefault(name.lower(), []).append(str(value))
    return header


def lines(text):
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def body(part):
    return lines(part.get_content()) if part is not None else ""


def leaves(part, related=False):
    if part.is_multipart():
        for inner in part.iter_parts():
            yield from leaves(inner, related or part.get_content_type() == "multipart/related")
    else:
        yield part, related


def file(part, related):
    octets = part.get_payload(decode=True)  # get_content decodes those of text
    parameters = dict(part["Content-Type"].params)
    return {
        # get_filename would take spaces and angle brackets off.
        "name": part["Content-Disposition"].params.get("filename", ""),
        "oldName": parameters.pop("name", ""),
        "type": part.get_content_type(),
        "parameters": parameters,
        "disposition": part.get_content_disposition(),
        "contentID": str(part.get("Content-ID", "")).strip("<>"),
        "related": related,
        "size": len(octets),
        "sha256": hashlib.sha256(octets).hexdigest(),
    }


def read(path):
    octets = pathlib.Path(path).read_bytes()
    if octets.isascii():
        message = email.message_from_bytes(octets, policy=email.policy.default)
    else:  # the header of RFC 6532 is text to this library
        message = email.message_from_string(octets.decode(), policy=email.policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    calendar = next((p for p, _ in leaves(message) if p.get_content_type() == "text/calendar" and not p.get_content_disposition()), None)
    return {
        "from": mailboxes(message["From"]),
        "sender": mailboxes(message["Sender"]),
        "replyTo": mailboxes(message["Reply-To"]),
        "to": mailboxes(message["To"]),
        "cc": mailboxes(message["Cc"]),
        "bcc": mailboxes(message["Bcc"]),
        "subject": str(message.get("Subject", "")),
        "date": message["Date"].datetime.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "messageID": str(message["Message-ID"]),
        "header": other_fields(message),
        "text": body(text),
        "html": body(html),
        "calendar": body(calendar),
        "method": calendar["Content-Type"].params["method"] if calendar is not None else "",
        "files": [file(p, related) for p, related in leaves(message) if p not in (text, html, calendar)],
    }


for path in sys.argv[1:]:
    print(json.dumps(read(path)))
