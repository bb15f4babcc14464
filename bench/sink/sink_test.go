package sink_test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"io"
	"testing"

	"github.com/kaizenmail/kaizen/bench/bare"
	"github.com/kaizenmail/kaizen/bench/driver"
	"github.com/kaizenmail/kaizen/bench/peers"
	"github.com/kaizenmail/kaizen/bench/sink"
)

// TestEveryDriverDeliversEverything is what the figures rest on.
func TestEveryDriverDeliversEverything(t *testing.T) {
	t.Parallel()
	for _, d := range append(bare.Drivers(), peers.Drivers()...) {
		for _, secure := range []bool{false, true} {
			if secure && d.NoTLS {
				continue
			}
			for _, m := range []driver.Message{driver.Letter(), driver.Attachment()} {
				t.Run(d.Name+"/"+m.Name, func(t *testing.T) {
					t.Parallel()
					to, counts := start(t, secure)
					to.Message = m
					if err := d.Send(t.Context(), to, 23, 5); err != nil {
						t.Fatal(err)
					}
					if got := counts(); got.Messages != 23 || got.Refused != 0 || got.Octets < 23*2000 {
						t.Errorf("the sink counted %+v, want 23 messages and nothing refused", got)
					}
				})
			}
		}
	}
}

func start(t *testing.T, secure bool) (driver.Target, func() sink.Counts) {
	t.Helper()
	questions, ask := io.Pipe()
	hear, answers := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- sink.Run(questions, answers, 0, secure) }()
	t.Cleanup(func() {
		ask.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	heard := json.NewDecoder(bufio.NewReader(hear))
	var here sink.Announcement
	if err := heard.Decode(&here); err != nil {
		t.Fatal(err)
	}
	to := driver.Target{Address: here.Address}
	if secure {
		certificate, err := x509.ParseCertificate(here.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		to.Roots = x509.NewCertPool()
		to.Roots.AddCert(certificate)
	}
	return to, func() (c sink.Counts) {
		io.WriteString(ask, "\n")
		if err := heard.Decode(&c); err != nil {
			t.Error(err)
		}
		return c
	}
}
