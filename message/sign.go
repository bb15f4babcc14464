package message

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"

	"github.com/emersion/go-msgauth/dkim"
)

var (
	errChanged  = errors.New("an attachment or the file changed between signing and writing")
	errSignOnce = errors.New("its reader can be read only once, and signing reads it before it is written: attach a file or an io.ReaderAt")
)

// digest identifies the octets that were signed, and by what.
type digest [sha256.Size]byte

// signed keeps a message's signatures. They tell when they were made, so the
// same ones must be used again as long as the message is the same.
type signed struct {
	mu     sync.Mutex
	of     digest
	fields []byte // nil: none made yet
}

// writeSigned writes the signatures and then what write writes, which is called
// twice: nothing is held.
func (s *signed) writeSigned(w io.Writer, by []DKIM, write func(io.Writer) (int64, error)) (int64, error) {
	fields, of, err := s.sign(by, write)
	if err != nil {
		return 0, err
	}
	n, err := w.Write(fields)
	if err != nil {
		return int64(n), err
	}
	h := newDigest(by)
	more, err := write(io.MultiWriter(w, h))
	if err == nil && digest(h.Sum(nil)) != of {
		err = &Error{Field: "DKIM", Err: errChanged}
	}
	return int64(n) + more, err
}

// sign returns the DKIM-Signature fields for what write writes.
func (s *signed) sign(by []DKIM, write func(io.Writer) (int64, error)) (fields []byte, of digest, err error) {
	if had, ok := s.kept(); ok {
		h := newDigest(by)
		if _, err := write(h); err != nil {
			return nil, of, err
		}
		if of = digest(h.Sum(nil)); of == had.of {
			return had.fields, of, nil
		}
	}
	h, signatures := newDigest(by), &signatures{by: by}
	lines := &wireLines{w: signatures}
	if _, err = write(io.MultiWriter(h, lines)); err == nil {
		err = lines.end()
	}
	if fields, err = signatures.end(err); err != nil {
		return nil, of, err
	}
	of = digest(h.Sum(nil))
	return s.keep(fields, of), of, nil
}

// made is what a signed holds.
type made struct {
	fields []byte
	of     digest
}

func (s *signed) kept() (made, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return made{s.fields, s.of}, s.fields != nil
}

// keep returns the signatures to use: those of whoever was first.
func (s *signed) keep(fields []byte, of digest) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fields == nil || s.of != of {
		s.fields, s.of = fields, of
	}
	return s.fields
}

// newDigest begins with what is not in the message and makes its signatures
// what they are.
func newDigest(by []DKIM) hash.Hash {
	h := sha256.New()
	for _, d := range by {
		fmt.Fprintf(h, "%q %q %q %q %q\n", d.Domain, d.Selector, d.Fields, d.Canonicalization, d.Key.Record())
	}
	return h
}

// signatures signs the message that is written to it.
type signatures struct {
	by      []DKIM
	head    []byte // what came of the header, until it is complete
	signers []*dkim.Signer
}

// Write takes a message with CRLF line ends in pieces.
func (s *signatures) Write(b []byte) (int, error) {
	if s.signers != nil {
		return len(b), s.pass(b)
	}
	if len(s.head) == 0 && bytes.Contains(b, []byte(crlf+crlf)) {
		return len(b), s.begin(b)
	}
	from := max(len(s.head)-len(crlf+crlf)+1, 0)
	s.head = append(s.head, b...)
	if !bytes.Contains(s.head[from:], []byte(crlf+crlf)) {
		return len(b), nil
	}
	return len(b), s.begin(s.head)
}

// begin starts the signers with what came so far: its header, which is
// complete, tells what there is to sign.
func (s *signatures) begin(octets []byte) error {
	header, _, _ := bytes.Cut(octets, []byte(crlf+crlf))
	names := fieldNames(string(header))
	for i := range s.by {
		signer, err := s.by[i].signer(names)
		if err != nil {
			return &Error{Field: indexed("DKIM", i), Err: err}
		}
		s.signers = append(s.signers, signer)
	}
	return s.pass(octets)
}

func (s *signatures) pass(b []byte) error {
	for i, signer := range s.signers {
		if _, err := signer.Write(b); err != nil {
			return &Error{Field: indexed("DKIM", i), Err: err}
		}
	}
	return nil
}

// end returns the fields, one signature after the other. All signers are ended,
// whatever happened.
func (s *signatures) end(err error) (fields []byte, _ error) {
	if err == nil && s.signers == nil {
		if !bytes.HasSuffix(s.head, []byte(crlf)) {
			s.head = append(s.head, crlf...)
		}
		s.head = append(s.head, crlf...) // a header without a body
		err = s.begin(s.head)
	}
	for i, signer := range s.signers {
		closed := signer.Close()
		if err == nil && closed != nil {
			err = &Error{Field: indexed("DKIM", i), Err: closed}
		}
		if err == nil {
			fields = append(fields, signer.Signature()...)
		}
	}
	return fields, err
}

// fieldNames are in lower case, in their order.
func fieldNames(header string) (names []string) {
	for line := range strings.SplitSeq(header, crlf) {
		name, _, colon := strings.Cut(line, ":")
		if colon && name != "" && name[0] != ' ' && name[0] != '\t' {
			names = append(names, strings.ToLower(strings.TrimRight(name, " \t")))
		}
	}
	return names
}

// wireLines makes every line end CRLF, as they are on the wire.
type wireLines struct {
	w   io.Writer
	cr  bool // the last octet was CR
	buf []byte
}

func (l *wireLines) Write(b []byte) (int, error) {
	if !l.cr && isWireLines(b) {
		return l.w.Write(b)
	}
	l.buf = l.buf[:0]
	for _, c := range b {
		if c == '\n' && !l.cr {
			l.buf = append(l.buf, '\r')
		}
		if c != '\n' && l.cr {
			l.buf = append(l.buf, '\n')
		}
		l.buf = append(l.buf, c)
		l.cr = c == '\r'
	}
	_, err := l.w.Write(l.buf)
	return len(b), err
}

// isWireLines reports whether b has CRLF line ends alone, and no half of one.
func isWireLines(b []byte) bool {
	if bytes.Count(b, []byte{'\r'}) != bytes.Count(b, []byte{'\n'}) {
		return false
	}
	for i := bytes.IndexByte(b, '\r'); i >= 0; {
		if i+1 == len(b) || b[i+1] != '\n' {
			return false
		}
		next := bytes.IndexByte(b[i+1:], '\r')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return true
}

// end completes a line end that is the last octet.
func (l *wireLines) end() error {
	if !l.cr {
		return nil
	}
	l.cr = false
	_, err := io.WriteString(l.w, "\n")
	return err
}
