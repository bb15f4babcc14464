package test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/rogpeppe/go-internal/testscript"
)

// tunnel starts an HTTP proxy that lives as long as its script:
//
//	tunnel NAME SERVER [USER:PASSWORD]
//
// It sets the variable NAME to host:port, and connects to SERVER, one of the
// script's, whatever it is asked for.
func tunnel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: tunnel name server [user:password]")
	}
	login := ""
	if len(args) == 3 {
		login = "Basic " + base64.StdEncoding.EncodeToString([]byte(args[2]))
	}
	target := ts.Getenv(args[1])
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodConnect:
			http.Error(w, "CONNECT alone", http.StatusMethodNotAllowed)
		case login != "" && r.Header.Get("Proxy-Authorization") != login:
			w.Header().Set("Proxy-Authenticate", "Basic")
			http.Error(w, "who are you", http.StatusProxyAuthRequired)
		default:
			splice(w, target)
		}
	})}
	go s.Serve(l)
	ts.Defer(func() { s.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// splice ends when either side does: the server does so at the script's end.
func splice(w http.ResponseWriter, target string) {
	server, err := net.Dial("tcp", target)
	if err != nil {
		http.Error(w, "unreachable", http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	var both sync.WaitGroup
	both.Go(func() { io.Copy(server, client); server.Close() })
	both.Go(func() { io.Copy(client, server); client.Close() })
	both.Wait()
}

// wantClient has a server ask for a client certificate, which is in NAME-client.pem.
func wantClient(ts *testscript.TestScript, config *smtptest.Config, name string) {
	certificate, err := newCertificate()
	ts.Check(err)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	ts.Check(err)
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	content = append(content, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	ts.Check(os.WriteFile(ts.MkAbs(name+"-client.pem"), content, 0o600))
	config.TLSConfig.ClientAuth = tls.RequireAnyClientCert
	if config.Auth == nil {
		config.Auth = &smtptest.Auth{Mechanisms: []string{"EXTERNAL"}, Required: true}
	}
}
