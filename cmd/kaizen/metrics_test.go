package main

import (
	"bytes"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/kaizenprom"
	"github.com/kaizenmail/kaizen/queue/memory"
)

func TestMetricsFlag(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"9464": "127.0.0.1:9464", ":9464": "127.0.0.1:9464", "0": "127.0.0.1:0", "localhost:9464": "localhost:9464",
		"0.0.0.0:9464": "0.0.0.0:9464", "[::1]:9464": "[::1]:9464", "[::]:9464": "[::]:9464",
		"": "", "x": "", "localhost": "", "localhost:": "", "localhost:x": "", "localhost:70000": "", "-1": "", "::1": "", "::1:9464": "", "a:b:1": "",
	} {
		var f metricsFlag
		if err := f.Set(given); string(f) != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", given, f, err, want)
		}
	}
}

// A client that connects and says nothing does not keep the program from ending.
func TestMetricsServerCloses(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	a := &app{stderr: &said, lookupEnv: func(string) (string, bool) { return "", false }}
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	s, err := a.serveMetrics("127.0.0.1:0", client)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(said.String()), "metrics at http://"), "/metrics")
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it still listens")
	}
	var none *metricsServer
	if err := none.close(); err != nil {
		t.Error(err)
	}
}

func TestMetricsOfAQueue(t *testing.T) {
	t.Parallel()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	page := httptest.NewRecorder()
	metricsHandler(kaizenprom.NewQueue(memory.New(), kaizenprom.Options{}), kaizenprom.New(client, kaizenprom.Options{})).
		ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"kaizen_queue_delivering 0", "go_goroutines"} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, page.Body)
		}
	}
}
