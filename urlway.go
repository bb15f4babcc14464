package kaizen

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// readProxy never shows the value: it may hold a password.
func readProxy(a *Account, v string) error {
	a.Proxy = v
	return smtp.CheckProxy(v)
}

func readLocalAddress(a *Account, v string) error {
	if _, err := netip.ParseAddr(v); err != nil {
		return fmt.Errorf("%q is not an IP address", v)
	}
	a.LocalAddress = v
	return nil
}

// readPins puts back the + of base64, which a URL's parameters take for a space.
func readPins(a *Account, v string) error {
	for pin := range strings.SplitSeq(strings.ReplaceAll(v, " ", "+"), ",") {
		if err := smtp.CheckPin(pin); err != nil {
			return err
		}
		a.PinnedKeys = append(a.PinnedKeys, pin)
	}
	return nil
}

func readTLSMin(a *Account, v string) error {
	version, err := smtp.ParseTLSVersion(v)
	if err == nil {
		a.TLSConfig = &tls.Config{MinVersion: version}
	}
	return err
}
