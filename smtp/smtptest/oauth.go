package smtptest

import "strings"

// oauthRefusal is the challenge to a token that is no good; the client answers
// it before the server says no (RFC 7628 §3.2.3).
const oauthRefusal = `{"status":"invalid_token","schemes":"bearer"}`

// xoauth2 is Google's and Microsoft's mechanism:
// user=NAME ^A auth=Bearer TOKEN ^A ^A.
func xoauth2(x *exchange) error {
	response, err := x.first()
	if err != nil {
		return err
	}
	fields := strings.Split(string(response), "\x01")
	user, hasUser := strings.CutPrefix(fields[0], "user=")
	if !hasUser || len(fields) != 4 || fields[2] != "" || fields[3] != "" {
		return errMalformed
	}
	return x.bearer(user, fields[1])
}

// oauthBearer is RFC 7628: n,a=NAME, ^A host=… ^A port=… ^A auth=Bearer TOKEN ^A ^A.
func oauthBearer(x *exchange) error {
	response, err := x.first()
	if err != nil {
		return err
	}
	header, fields, _ := strings.Cut(string(response), "\x01")
	parts := strings.Split(header, ",")
	if len(parts) != 3 || !strings.HasPrefix(parts[1], "a=") || !strings.HasSuffix(fields, "\x01\x01") {
		return errMalformed
	}
	user := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(parts[1][2:])
	for field := range strings.SplitSeq(fields, "\x01") {
		if strings.HasPrefix(field, "auth=") {
			return x.bearer(user, field)
		}
	}
	return errMalformed
}

func (x *exchange) bearer(user, field string) error {
	token, ok := strings.CutPrefix(field, "auth=Bearer ")
	if !ok {
		return errMalformed
	}
	err := x.checkToken(user, token)
	if err != nil {
		if _, err := x.ask([]byte(oauthRefusal)); err != nil {
			return err
		}
	}
	return err
}

func (x *exchange) checkToken(user, token string) error {
	judge := x.session.config.Auth.Token
	if judge == nil {
		return x.check(user, token)
	}
	x.user = user
	if !judge(user, token) {
		return errWrongSecret
	}
	return nil
}
