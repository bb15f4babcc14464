package interop_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// link is how a server is reached.
type link struct {
	name string
	tls  smtp.TLSMode
}

var links = []link{
	{"plain", smtp.TLSNone},
	{"STARTTLS", smtp.TLSStartTLS},
	{"implicit TLS", smtp.TLSImplicit},
}

func (k link) address(in *instance) string {
	if k.tls == smtp.TLSImplicit {
		return in.implicit
	}
	return in.plain
}

// account reaches the server without limits of our own.
func (k link) account(w *workshop, in *instance) kaizen.Account {
	host, port, _ := net.SplitHostPort(k.address(in))
	number, _ := strconv.Atoi(port)
	return kaizen.Account{Host: host, Port: number, TLS: k.tls, TLSConfig: &tls.Config{RootCAs: w.roots},
		LocalName: "client.example.com", Limits: kaizen.Limits{Connections: 5, Rates: kaizen.NoRate()}}
}

// url is the same for the program. The password goes another way.
func (k link) url(in *instance, login bool, level smtp.Level) string {
	scheme, who := "smtp", ""
	if k.tls == smtp.TLSImplicit {
		scheme = "smtps"
	}
	if login {
		who = user + "@"
	}
	url := fmt.Sprintf("%s://%s%s?local-name=client.example.com&rate=none&connections=5", scheme, who, k.address(in))
	if k.tls == smtp.TLSNone {
		url += "&tls=none"
	}
	if level != smtp.LevelAuto {
		url += "&level=" + level.String()
	}
	return url
}

// offers asks the server, once it is up, what it offers on this link.
func (k link) offers(t *testing.T, w *workshop, in *instance) smtp.Capabilities {
	t.Helper()
	a := k.account(w, in)
	config := smtp.Config{Host: a.Host, Port: a.Port, TLS: a.TLS, TLSConfig: a.TLSConfig, LocalName: a.LocalName}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var conn *smtp.Conn
	eventually(t, "a greeting from "+config.Address(), func() (up bool) {
		var err error
		conn, err = smtp.Dial(ctx, config)
		return err == nil
	})
	if conn == nil {
		t.FailNow()
	}
	offered := conn.Capabilities()
	must(t, conn.Quit(ctx))
	return offered
}

// watch notes what went over the wire that a receipt does not tell.
type watch struct {
	mu         sync.Mutex
	mechanisms map[string]int
	bdat       int
	dialled    int
	versions   map[uint16]int // of TLS
}

func (w *watch) trace() *smtp.Trace {
	w.mechanisms, w.versions = map[string]int{}, map[uint16]int{}
	return &smtp.Trace{
		ConnectDone: func(_, _ string, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if err == nil {
				w.dialled++
			}
		},
		TLSDone: func(state tls.ConnectionState, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.versions[state.Version]++
		},
		Sent: func(line string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if rest, is := strings.CutPrefix(line, "AUTH "); is {
				mechanism, _, _ := strings.Cut(rest, " ")
				w.mechanisms[mechanism]++
			}
			if strings.HasPrefix(line, "BDAT ") {
				w.bdat++
			}
		},
	}
}
