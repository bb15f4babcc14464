package smtptest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

const scramRounds = 4096 // RFC 7677 §4: at least

// cramMD5 is RFC 2195.
func cramMD5(x *exchange) error {
	if x.initial != nil {
		return errMalformed
	}
	challenge := fmt.Appendf(nil, "<%s@%s>", rand.Text(), x.session.config.Name)
	response, err := x.ask(challenge)
	if err != nil {
		return err
	}
	i := bytes.LastIndexByte(response, ' ')
	if i < 0 {
		return errMalformed
	}
	x.user = string(response[:i])
	password, known := x.session.config.Auth.Users[x.user]
	mac := hmac.New(md5.New, []byte(password))
	mac.Write(challenge)
	if !known || hex.EncodeToString(mac.Sum(nil)) != string(response[i+1:]) {
		return errWrongSecret
	}
	return nil
}

// scramState is the server's side of RFC 5802 and RFC 7677.
type scramState struct {
	x           *exchange
	hash        func() hash.Hash
	plus        bool
	gs2         string // the header of the client's first message
	clientFirst string // without the header
	serverFirst string
	nonce       string
	salt        []byte
}

func scram(x *exchange) error {
	state := &scramState{x: x, hash: sha1.New, plus: strings.HasSuffix(x.mechanism, "-PLUS"), salt: []byte(rand.Text())}
	if strings.HasPrefix(x.mechanism, "SCRAM-SHA-256") {
		state.hash = sha256.New
	}
	first, err := x.first()
	if err != nil {
		return err
	}
	if err := state.readFirst(string(first)); err != nil {
		return err
	}
	last, err := x.ask([]byte(state.serverFirst))
	if err != nil {
		return err
	}
	signature, err := state.verify(string(last))
	if err != nil {
		return err
	}
	_, err = x.ask([]byte("v=" + base64.StdEncoding.EncodeToString(signature)))
	return err
}

// readFirst reads "p=tls-exporter,,n=user,r=nonce".
func (st *scramState) readFirst(message string) error {
	parts := strings.SplitN(message, ",", 4)
	if len(parts) != 4 || !strings.HasPrefix(parts[2], "n=") || !strings.HasPrefix(parts[3], "r=") {
		return errMalformed
	}
	if st.plus != strings.HasPrefix(parts[0], "p=") {
		return errMalformed
	}
	if offered := st.x.session.mechanisms(); parts[0] == "y" && containsPlus(offered) {
		return errWrongSecret // someone removed -PLUS from the offer (RFC 5802 §6)
	}
	st.gs2 = parts[0] + "," + parts[1] + ","
	st.clientFirst = parts[2] + "," + parts[3]
	st.x.user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(parts[2][2:])
	nonce, _, _ := strings.Cut(parts[3][2:], ",")
	st.nonce = nonce + rand.Text()
	st.serverFirst = fmt.Sprintf("r=%s,s=%s,i=%d", st.nonce, base64.StdEncoding.EncodeToString(st.salt), scramRounds)
	return nil
}

func containsPlus(list []string) bool {
	return strings.Contains(strings.Join(list, " ")+" ", "-PLUS ")
}

// verify reads "c=binding,r=nonce,p=proof" and returns the server's signature.
func (st *scramState) verify(message string) ([]byte, error) {
	i := strings.LastIndex(message, ",p=")
	if i < 0 {
		return nil, errMalformed
	}
	withoutProof := message[:i]
	proof, err := base64.StdEncoding.DecodeString(message[i+3:])
	if err != nil {
		return nil, errMalformed
	}
	binding, err := st.binding()
	if err != nil {
		return nil, err
	}
	if withoutProof != "c="+base64.StdEncoding.EncodeToString(binding)+",r="+st.nonce {
		return nil, errWrongSecret
	}
	password, known := st.x.session.config.Auth.Users[st.x.user]
	salted, err := pbkdf2.Key(st.hash, password, st.salt, scramRounds, st.hash().Size())
	if err != nil {
		return nil, err
	}
	said := st.clientFirst + "," + st.serverFirst + "," + withoutProof
	clientKey := st.mac(salted, "Client Key")
	storedKey := st.hash()
	storedKey.Write(clientKey)
	want := st.mac(storedKey.Sum(nil), said)
	for i := range want {
		want[i] ^= clientKey[i]
	}
	if !known || !hmac.Equal(want, proof) {
		return nil, errWrongSecret
	}
	return st.mac(st.mac(salted, "Server Key"), said), nil
}

func (st *scramState) mac(key []byte, text string) []byte {
	m := hmac.New(st.hash, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// binding is the GS2 header and, for -PLUS, what ties the login to the TLS
// connection (RFC 5929, RFC 9266).
func (st *scramState) binding() ([]byte, error) {
	name, plus := strings.CutPrefix(strings.SplitN(st.gs2, ",", 2)[0], "p=")
	if !plus {
		return []byte(st.gs2), nil
	}
	data, err := channelBinding(st.x.session.secure, name)
	if err != nil {
		return nil, errMalformed
	}
	return append([]byte(st.gs2), data...), nil
}

func channelBinding(conn *tls.Conn, name string) ([]byte, error) {
	state := conn.ConnectionState()
	switch name {
	case "tls-exporter":
		return state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	case "tls-unique":
		if state.TLSUnique != nil {
			return state.TLSUnique, nil
		}
	}
	return nil, fmt.Errorf("no channel binding %q on this connection", name)
}
