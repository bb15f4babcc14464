package parsers_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kaizenmail/kaizen/message"
)

// verified is what verify.mjs says of a signature.
type verified struct {
	Domain           string `json:"domain"`
	Selector         string `json:"selector"`
	Algorithm        string `json:"algorithm"`
	Canonicalization string `json:"canonicalization"`
	Result           string `json:"result"`
	Comment          string `json:"comment"`
}

const signingDomain = "example.com"

// TestSignaturesVerify signs the whole corpus with both kinds of keys, in every
// canonicalization, and has mailauth verify it.
func TestSignaturesVerify(t *testing.T) {
	t.Parallel()
	keys, records := makeKeys(t)
	cases := allCases(t)
	for i, c := range cases {
		c.Message.DKIM = signatures(keys, i)
	}
	files := writeMessages(t, cases)
	for i, found := range run[[]verified](t, []string{"node", "verify.mjs", records}, files) {
		for _, d := range cases[i].Message.DKIM {
			checkVerified(t, cases[i].Name, d, found)
		}
	}
}

// TestChangesAreNoticed is about the verifier: one that accepts everything would
// prove nothing.
func TestChangesAreNoticed(t *testing.T) {
	t.Parallel()
	keys, records := makeKeys(t)
	cases := allCases(t)[:1]
	cases[0].Message.DKIM = signatures(keys, 0)
	files := writeMessages(t, cases)
	octets, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	octets[len(octets)-10] ^= 1
	if err := os.WriteFile(files[0], octets, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range run[[]verified](t, []string{"node", "verify.mjs", records}, files)[0] {
		if v.Result == "pass" {
			t.Errorf("a changed message verifies: %+v", v)
		}
	}
}

// makeKeys returns a key for each algorithm and the file with their records.
func makeKeys(t *testing.T) (keys map[string]message.DKIMKey, records string) {
	t.Helper()
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, published := map[string]message.DKIMKey{}, map[string]string{}
	for algorithm, signer := range map[string]crypto.Signer{"rsa-sha256": signer, "ed25519-sha256": edwards} {
		key, err := message.NewDKIMKey(signer)
		if err != nil {
			t.Fatal(err)
		}
		keys[algorithm] = key
		published[algorithm+"._domainkey."+signingDomain] = key.Record()
	}
	text, err := json.Marshal(published)
	if err != nil {
		t.Fatal(err)
	}
	records = filepath.Join(t.TempDir(), "records.json")
	if err := os.WriteFile(records, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return keys, records
}

var canonicalizations = []string{"relaxed/relaxed", "simple/simple", "relaxed/simple", "simple/relaxed"}

// signatures has a selector named after the algorithm for each key.
func signatures(keys map[string]message.DKIMKey, i int) (list []message.DKIM) {
	for algorithm, key := range keys {
		list = append(list, message.DKIM{Domain: signingDomain, Selector: algorithm, Key: key, Canonicalization: canonicalizations[i%4]})
	}
	return list
}

func checkVerified(t *testing.T, name string, d message.DKIM, found []verified) {
	t.Helper()
	want := verified{Domain: d.Domain, Selector: d.Selector, Algorithm: d.Selector, Canonicalization: d.Canonicalization, Result: "pass"}
	if !slices.Contains(found, want) {
		t.Errorf("%s: want %+v among %+v", name, want, found)
	}
}
