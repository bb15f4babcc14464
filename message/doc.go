// Package message composes messages: from the parts a program has at hand to
// the octets of RFC 5322 and MIME (RFC 2045 to 2049).
//
// Fill a [Message] and write it with [Message.WriteTo]; [Message.Envelope]
// tells who is to receive it. A [Raw] message exists already and is sent as it
// is.
//
// What is written is ASCII with lines of at most 998 octets, whatever went in:
// RFC 2047 in header fields, RFC 2231 in file names, quoted-printable and
// base64 in bodies, A-labels (RFC 5890) for domains. Only an address whose local
// part is not ASCII stays UTF-8 (RFC 6532) and needs a server with SMTPUTF8.
// CR, LF and NUL in a header field are refused, never repaired: the [Error]
// names the field.
//
// # Concurrency
//
// A Message may be written, and asked for its envelope, from several goroutines
// at once as long as nobody changes it.
//
// This package does not send.
package message
