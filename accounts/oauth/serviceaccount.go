package oauth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
)

// serviceAccount is what is of use in the JSON file of a Google service account.
type serviceAccount struct {
	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"` // PEM
	TokenURI     string `json:"token_uri"`
}

// CompactKey checks the JSON file of a service account and writes it on one line,
// as it can be kept as a secret. Errors are of type [*ConfigError] and hold nothing
// of it.
func CompactKey(file []byte) ([]byte, error) {
	if _, err := parseKey(file); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Compact(&b, bytes.TrimPrefix(file, []byte("\ufeff"))); err != nil {
		return nil, wrong("key_file", "is no JSON")
	}
	return b.Bytes(), nil
}

// parseKey says nothing of what it read: it is all secret.
func parseKey(file []byte) (serviceAccount, error) {
	var key serviceAccount
	if json.Unmarshal(bytes.TrimPrefix(file, []byte("\ufeff")), &key) != nil {
		return key, wrong("key_file", "is not the JSON key of a service account")
	}
	switch {
	case key.Type != "service_account":
		return key, wrong("key_file", `is JSON, but no key of a service account ("type": "service_account")`)
	case key.ClientEmail == "":
		return key, wrong("key_file", "has no client_email")
	case !isRSA(key.PrivateKey):
		return key, wrong("key_file", "has no private_key that can sign (RSA, in PEM)")
	}
	return key, nil
}

func isRSA(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return true
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, ok := key.(*rsa.PrivateKey)
	return err == nil && ok
}

// fromKey takes what the key of a service account says: who it is, and whom it asks.
func (c *Config) fromKey() error {
	if c.Flow != FlowServiceAccount || len(c.Key) == 0 {
		return nil
	}
	key, err := parseKey(c.Key)
	if err != nil {
		return err
	}
	if c.ClientID == "" {
		c.ClientID = key.ClientEmail
	}
	// A key from elsewhere must not choose where the assertion of a known provider goes.
	if c.TokenURL == "" {
		c.TokenURL = key.TokenURI
	}
	return nil
}
