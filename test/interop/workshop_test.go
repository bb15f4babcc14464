package interop_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const (
	user     = "ann"
	password = "secret-of-ann"
	sender   = "ann@example.com"
	domain   = "example.net"
)

// workshop is what all servers of a run share.
type workshop struct {
	dir     string // of this run, removed at its end
	apt     *apt
	program string // kaizen
	caFile  string
	cert    []byte // PEM
	key     []byte // PEM
	roots   *x509.CertPool

	mu       sync.Mutex         // guards the map
	unpacked map[string]*debian // by the first package
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this needs root: mail servers start as root, each in a root folder of its own")
	}
	dir, err := os.MkdirTemp("", "kaizen-interop-")
	must(t, err)
	t.Cleanup(func() {
		if os.Getenv("KEEP") == "" {
			must(t, os.RemoveAll(dir))
		} else {
			t.Log("kept", dir)
		}
	})
	w := &workshop{dir: dir, unpacked: map[string]*debian{}, apt: newApt(t, release()), program: filepath.Join(dir, "kaizen"), caFile: filepath.Join(dir, "ca.pem")}
	w.certify(t)
	build := exec.Command("go", "build", "-o", w.program, "./cmd/kaizen")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	run(t, build)
	return w
}

// apart is the same workshop with root folders of its own: for a second server of the
// same kind.
func (w *workshop) apart() *workshop {
	return &workshop{dir: w.dir, apt: w.apt, program: w.program, caFile: w.caFile, cert: w.cert, key: w.key, roots: w.roots, unpacked: map[string]*debian{}}
}

// certify makes a certificate for the loopback interface that is its own authority.
func (w *workshop) certify(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048) // OpenSMTPD keeps no others apart
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	w.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	w.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(w.cert)
	must(t, os.WriteFile(w.caFile, w.cert, 0o644))
}

// serverTLS is for servers in Go.
func (w *workshop) serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(w.cert, w.key)
	must(t, err)
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a command to its end and returns what it said.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, said)
	}
	return string(said)
}
