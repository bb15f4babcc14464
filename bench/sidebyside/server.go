package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/kaizenmail/kaizen/bench/driver"
	"github.com/kaizenmail/kaizen/bench/sink"
)

// server is the sink in a process of its own, so that its CPU time is not
// counted as the client's.
type server struct {
	target  driver.Target
	process *exec.Cmd
	ask     io.WriteCloser
	answers *json.Decoder
}

func startServer(c scenario) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"-sink", "-rtt", c.RoundTrip.String()}
	if c.TLS {
		args = append(args, "-tls")
	}
	s := &server{process: exec.Command(self, args...), target: driver.Target{Message: c.Message}}
	s.process.Stderr = os.Stderr
	if s.ask, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	s.answers = json.NewDecoder(bufio.NewReader(out))
	if err := s.meet(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) meet() error {
	var here sink.Announcement
	if err := s.answers.Decode(&here); err != nil {
		return fmt.Errorf("start the sink: %w", err)
	}
	s.target.Address = here.Address
	if len(here.Certificate) == 0 {
		return nil
	}
	certificate, err := x509.ParseCertificate(here.Certificate)
	if err != nil {
		return err
	}
	s.target.Roots = x509.NewCertPool()
	s.target.Roots.AddCert(certificate)
	return nil
}

func (s *server) counts() (c sink.Counts, err error) {
	if _, err := io.WriteString(s.ask, "\n"); err != nil {
		return c, fmt.Errorf("ask the sink: %w", err)
	}
	return c, s.answers.Decode(&c)
}

// stop ends the process: it lives as long as its standard input.
func (s *server) stop() {
	s.ask.Close()
	_ = s.process.Wait()
}
