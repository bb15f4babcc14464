package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"

	"github.com/kaizenmail/kaizen/test/leak"
)

// What is planted: each secret comes into the program by a way of its own or is
// written in a way of its own. They share no part with each other or with what
// anything writes.
var secrets = map[string]string{
	"in a URL":                     "Vr4-p@ss:w0rd/wH?aL#oF&iT",
	"in KAIZEN_PASSWORD":           "qX9 b1anks  w zTm4 yPd8",
	"in a password file":           `Jw"8'quotes'"and\back\slash`,
	"in secrets.age":               "stGk3xPq71-Lw0-Re",
	"from a command":               "coYb6vNn28-Rt5-Sq",
	"from a variable":              "vaHc1sMd94-Uf7-Jo",
	"of another identity":          "idZo5jKe36-Xa8-Wy",
	"an OAuth token":               "ya29.Qd7rTy52-Bn3wSg0",
	"an OAuth refresh token":       "1//Rk5mVz61-Tq8wYd3Lc-Hf0",
	"an OAuth client secret":       "GX-sPj74uCb_Ne2oKw9vAi",
	"made by a mechanism of ours":  "caEi2uVh83-Op6-Fb",
	"passphrase of the secrets":    "one Wl4z Cx95 Mj1 Td",
	"new passphrase":               "two Fp8b Dk67 Iu3 Hs",
	"passphrase of a bundle":       "three Ns0y Ga41 Tq9",
	"mistyped":                     "miKv5m-Er72-Zb-Ya",
	"token as the user name, too":  "f47c1-Ux3p-9hNe-Lq86",
	"with percents":                "%41Dt%s%d%n%%20Xw%25j6",
	"not ASCII":                    "Grüße-☂-пароль-秘密",
	"very long":                    long(1000),
	"like base64":                  "dGVzdC1NYjN5LVhrOTItUGo3LXVw==",
	"special in JSON and TOML":     `{"p":"<Hv&>\u0041"}'''#=`,
	"three octets":                 "‽",
	"a DKIM key, Ed25519":          base64.StdEncoding.EncodeToString(seed),
	"a DKIM key, Ed25519, octets":  string(seed),
	"an environment's own matters": "unAj9t-Bz31-Wn-Kc",
}

// all finds any of them, and any eight octets of one.
var all = leak.New(secrets, 8)

// passwords are those that are tried in each way of logging in.
var passwords = []string{"in KAIZEN_PASSWORD", "in a password file", "with percents", "not ASCII", "very long", "like base64",
	"special in JSON and TOML", "three octets", "in a URL"}

// seed is that of the DKIM key. It makes no UTF-8.
var seed = func() []byte {
	b, _ := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	return b
}()

// long is the same in each run, and does not repeat itself.
func long(octets int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
	random := rand.New(rand.NewPCG(4711, 42))
	var b strings.Builder
	for range octets {
		b.WriteByte(letters[random.IntN(len(letters))])
	}
	return b.String()
}
