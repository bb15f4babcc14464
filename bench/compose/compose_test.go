package compose

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"testing"

	gomessage "github.com/emersion/go-message/mail"
	"github.com/emersion/go-msgauth/dkim"

	"github.com/kaizenmail/kaizen/message"
)

func signers(t testing.TB) map[string]*signer {
	t.Helper()
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*signer{"unsigned": nil, "ed25519": newSigner(t, edwards), "rsa2048": newSigner(t, short)}
}

func newSigner(t testing.TB, by crypto.Signer) *signer {
	t.Helper()
	key, err := message.NewDKIMKey(by)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{by, key}
}

// TestSameLetter is what the figures rest on: what each writes is the same
// letter, with a good signature if it was to be signed.
func TestSameLetter(t *testing.T) {
	t.Parallel()
	for kind, by := range signers(t) {
		for _, letter := range letters() {
			for _, writer := range writers {
				var b bytes.Buffer
				if err := writer.write(&b, letter, by); err != nil {
					t.Fatalf("%s, %s: %v", writer.name, kind, err)
				}
				subject, text, html := read(t, b.Bytes())
				if subject != letter.Subject || text != letter.Text || html != letter.HTML {
					t.Errorf("%s wrote another letter:\n%s", writer.name, b.Bytes())
				}
				checkSignature(t, writer.name, b.Bytes(), by)
			}
		}
	}
}

func read(t *testing.T, octets []byte) (subject, text, html string) {
	t.Helper()
	r, err := gomessage.CreateReader(bytes.NewReader(octets))
	if err != nil {
		t.Fatal(err)
	}
	if subject, err = r.Header.Subject(); err != nil {
		t.Fatal(err)
	}
	for _, into := range []*string{&text, &html} {
		part, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part.Body)
		if err != nil {
			t.Fatal(err)
		}
		*into = string(body)
	}
	return subject, text, html
}

func checkSignature(t *testing.T, writer string, octets []byte, by *signer) {
	t.Helper()
	if by == nil {
		return
	}
	lookup := func(string) ([]string, error) { return []string{by.key.Record()}, nil }
	found, err := dkim.VerifyWithOptions(bytes.NewReader(octets), &dkim.VerifyOptions{LookupTXT: lookup})
	if err != nil || len(found) != 1 || found[0].Err != nil {
		t.Errorf("%s: signature is no good: %v, %+v", writer, err, found)
	}
}

func BenchmarkCompose(b *testing.B) {
	keys, texts := signers(b), letters()
	for _, kind := range []string{"unsigned", "ed25519", "rsa2048"} {
		for _, language := range []string{"english", "german"} {
			for _, writer := range writers {
				b.Run(kind+"/"+language+"/"+writer.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := writer.write(io.Discard, texts[language], keys[kind]); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
