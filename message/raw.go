package message

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/mail"
	"os"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// maxRawHeader is the largest header that is read from a raw message.
const maxRawHeader = 1 << 20

var (
	errHeaderSize = errors.New("header over 1 MB, or a line of it over 64 KB")
	errNoField    = errors.New("no field name and colon")
	errLoneCR     = errors.New("a CR without LF in the header: on the wire it ends the line, and could begin another field")
)

// Raw is a message that exists already, in the form of RFC 5322. Its octets are
// sent as they are, but for Bcc and Resent-Bcc, which are taken out. Nothing but
// signatures is added: not even a missing Date or Message-ID.
type Raw struct {
	Data []byte
	// Open, if set, is called for the octets instead, each time they are needed,
	// and must give the same each time.
	Open func() (io.ReadCloser, error)

	// DKIM signs the message, once for each, with the line ends that it has on the
	// wire; see [Message].
	DKIM []DKIM

	Delivery Delivery

	signed signed
}

// RawFile is the message in a file.
func RawFile(path string) *Raw {
	return &Raw{Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

// Envelope reads sender and recipients from the header. If it has recipients in
// fields Resent-To, Resent-Cc or Resent-Bcc, then all of these count, and Resent-Sender
// or Resent-From; else To, Cc and Bcc, and Sender or From (RFC 5322 §3.6.6).
func (r *Raw) Envelope() (smtp.Envelope, error) {
	source, err := r.open()
	if err != nil {
		return smtp.Envelope{}, err
	}
	defer source.Close()
	header, err := readRawHeader(bufio.NewReaderSize(source, 64<<10))
	if err != nil {
		return smtp.Envelope{}, err
	}
	prefix := ""
	if header.has("Resent-To") || header.has("Resent-Cc") || header.has("Resent-Bcc") {
		prefix = "Resent-"
	}
	return r.envelope(header, prefix)
}

func (r *Raw) envelope(header rawHeader, prefix string) (smtp.Envelope, error) {
	var recipients []address
	for _, name := range []string{"To", "Cc", "Bcc"} {
		list, err := header.addresses(prefix + name)
		if err != nil {
			return smtp.Envelope{}, err
		}
		recipients = append(recipients, list...)
	}
	if r.Delivery.ReturnPath != "" {
		return r.Delivery.envelope(nil, recipients)
	}
	senders, err := header.addresses(prefix + "Sender")
	if err == nil && len(senders) == 0 {
		senders, err = header.addresses(prefix + "From")
	}
	if err == nil && len(senders) == 0 {
		err = fieldError(prefix+"From", "", errMissing)
	}
	if err != nil {
		return smtp.Envelope{}, err
	}
	return r.Delivery.envelope(&senders[0], recipients)
}

// WriteTo writes the message without its Bcc fields. To be signed, it is read
// twice.
func (r *Raw) WriteTo(w io.Writer) (int64, error) {
	if len(r.DKIM) == 0 {
		return r.writeTo(w)
	}
	if err := checkDKIM(r.DKIM); err != nil {
		return 0, err
	}
	return r.signed.writeSigned(w, r.DKIM, r.writeTo)
}

func (r *Raw) writeTo(w io.Writer) (written int64, err error) {
	source, err := r.open()
	if err != nil {
		return 0, err
	}
	defer source.Close()
	in := bufio.NewReaderSize(source, 64<<10)
	header, err := readRawHeader(in)
	if err != nil {
		return 0, err
	}
	var kept bytes.Buffer
	for _, f := range header {
		if !f.isBcc() {
			kept.Write(f.octets)
		}
	}
	if written, err = kept.WriteTo(w); err != nil {
		return written, err
	}
	n, err := io.Copy(w, in)
	return written + n, err
}

func (r *Raw) open() (io.ReadCloser, error) {
	if r.Open == nil {
		return io.NopCloser(bytes.NewReader(r.Data)), nil
	}
	source, err := r.Open()
	if err != nil {
		return nil, fieldError("Raw", "", err)
	}
	return source, nil
}

// rawHeader is the fields of a header and, if there is one, the empty line
// behind them as a field without a name.
type rawHeader []rawField

type rawField struct {
	name   string
	octets []byte // all its lines with their ends
}

func (f *rawField) isBcc() bool {
	return strings.EqualFold(f.name, "Bcc") || strings.EqualFold(f.name, "Resent-Bcc")
}

// readRawHeader leaves the reader at the start of the body.
func readRawHeader(r *bufio.Reader) (header rawHeader, err error) {
	size := 0
	for number := 1; ; number++ {
		line, err := r.ReadSlice('\n')
		if size += len(line); size > maxRawHeader || err == bufio.ErrBufferFull {
			return nil, fieldError("Raw", "", errHeaderSize)
		}
		if err != nil && err != io.EOF {
			return nil, fieldError("Raw", "", err)
		}
		if len(line) > 0 {
			if header, err = header.add(line); err != nil {
				return nil, fieldError(fmt.Sprintf("Raw (line %d)", number), string(line), err)
			}
		}
		if len(line) == 0 || line[len(line)-1] != '\n' || header[len(header)-1].name == "" {
			return header, nil
		}
	}
}

func (h rawHeader) add(line []byte) (rawHeader, error) {
	if bytes.IndexByte(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), '\r') >= 0 {
		return nil, errLoneCR
	}
	if len(bytes.TrimRight(line, crlf)) == 0 {
		return append(h, rawField{octets: bytes.Clone(line)}), nil
	}
	if (line[0] == ' ' || line[0] == '\t') && len(h) > 0 {
		last := &h[len(h)-1]
		last.octets = append(last.octets, line...)
		return h, nil
	}
	name, _, colon := strings.Cut(string(line), ":")
	name = strings.TrimRight(name, " \t")
	if !colon || name == "" || !all(name, fieldOctet) {
		return nil, errNoField
	}
	return append(h, rawField{name: name, octets: bytes.Clone(line)}), nil
}

func (h rawHeader) has(name string) bool {
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			return true
		}
	}
	return false
}

// addresses are those of every field of the name.
func (h rawHeader) addresses(name string) (list []address, err error) {
	// The names of people do not matter here, so neither do their charsets.
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{
		CharsetReader: func(_ string, input io.Reader) (io.Reader, error) { return input, nil },
	}}
	for _, f := range h {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		value := f.value()
		if value == "" {
			continue
		}
		parsed, err := parser.ParseList(value)
		if err != nil {
			return nil, fieldError(name, value, err)
		}
		for _, p := range parsed {
			a, err := newAddress(p.Address)
			if err != nil {
				return nil, fieldError(name, p.Address, err)
			}
			list = append(list, a)
		}
	}
	return list, nil
}

// value is the unfolded value.
func (f *rawField) value() string {
	_, value, _ := bytes.Cut(f.octets, []byte(":"))
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(string(value)))
}

// Content is the message's octets, opened anew each time it is sent.
func (r *Raw) Content() (*smtp.Content, error) {
	if err := checkDKIM(r.DKIM); err != nil {
		return nil, err
	}
	content := smtp.ReplayableWriterTo(r)
	least, err := r.leastSize()
	if least > 0 {
		content.DeclareSize(least)
	}
	return content, err
}

// leastSize is how many octets are written at least, as far as it can be known
// without reading the body; else 0. Line ends may make it more.
func (r *Raw) leastSize() (int64, error) {
	source, err := r.open()
	if err != nil {
		return 0, err
	}
	defer source.Close()
	size := int64(len(r.Data))
	if file, ok := source.(fs.File); ok {
		info, err := file.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return 0, nil
		}
		size = info.Size()
	} else if r.Open != nil {
		return 0, nil
	}
	header, err := readRawHeader(bufio.NewReaderSize(source, 64<<10))
	if err != nil {
		return 0, err
	}
	for i := range header {
		if header[i].isBcc() {
			size -= int64(len(header[i].octets))
		}
	}
	return size, nil
}
