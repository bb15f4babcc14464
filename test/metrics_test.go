package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// scrape fetches metrics: series of kaizen with their values, and the page.
func scrape(t *testing.T, page string) (series map[string]float64, text string) {
	t.Helper()
	response, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	octets, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%v, status %d, %q", err, response.StatusCode, response.Header.Get("Content-Type"))
	}
	series = make(map[string]float64)
	for line := range strings.Lines(string(octets)) {
		at := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if !strings.HasPrefix(line, "kaizen_") || at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		series[line[:at]] = value
	}
	return series, string(octets)
}

// awaitMetric scrapes until a series has that value.
func awaitMetric(t *testing.T, page, name string, want float64) (series map[string]float64, text string) {
	t.Helper()
	glance := time.NewTicker(10 * time.Millisecond)
	defer glance.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-glance.C {
		if series, text = scrape(t, page); series[name] == want {
			return series, text
		}
	}
	t.Fatalf("%s is %g, want %g", name, series[name], want)
	return nil, ""
}

// While rows come, the metrics are what the server has counted; with the program
// they end.
func TestMetricsOfBulk(t *testing.T) {
	t.Parallel()
	server, err := smtptest.Listen(smtptest.Config{UnknownRecipients: []string{"@nobody.example"}, Auth: &smtptest.Auth{Users: map[string]string{"ann@example.com": "geheim"}, Required: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	cmd := exec.CommandContext(t.Context(), filepath.Join(programDir, "kaizen"), "bulk", "--rows", "-", "--format", "jsonl",
		"--journal", filepath.Join(t.TempDir(), "journal"), "--metrics", "0", "--subject", "s", "--text", "t",
		"--server", "smtp://ann%40example.com:geheim@"+server.Addr()+"?tls=none&rate=none")
	rows, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(stderr)
	page := awaitLine(t, lines, "metrics at ")
	if series, _ := scrape(t, page); len(series) != 0 {
		t.Errorf("series before the first message: %v", series)
	}
	for i := range 20 {
		fmt.Fprintf(rows, "{\"email\": \"p%d@example.org\"}\n", i)
	}
	account := server.Addr() // without the user: that is an address
	name := func(metric, more string) string { return fmt.Sprintf("kaizen_%s{account=%q%s}", metric, account, more) }
	awaitMetric(t, page, name("transactions_total", `,outcome="accepted"`), 20)
	fmt.Fprint(rows, "{\"email\": \"a@nobody.example\"}\n{\"email\": \"b@nobody.example\"}\n")
	series, text := awaitMetric(t, page, name("transactions_total", `,outcome="rejected"`), 2)

	stats := server.Stats()
	for metric, want := range map[string]float64{
		name("recipients_total", `,outcome="accepted"`): float64(stats.Accepted),
		name("failures_total", `,class="recipient"`):    2,
		name("transaction_seconds_count", ""):           float64(stats.Mails),
		name("connections_opened_total", ""):            float64(stats.Connections),
		name("wait_seconds_count", ""):                  22,
		name("messages_waiting", ""):                    0,
	} {
		if got, found := series[metric]; !found || got != want {
			t.Errorf("%s is %g, want %g", metric, got, want)
		}
	}
	if strings.Contains(text, "geheim") || strings.Contains(text, "ann") || !strings.Contains(text, "\ngo_goroutines ") {
		t.Errorf("the page: %s", text)
	}
	rows.Close()
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err == nil {
		t.Error("two rows were refused, and the exit code says nothing of it")
	}
	at, _ := url.Parse(page)
	if conn, err := net.Dial("tcp", at.Host); err == nil {
		conn.Close()
		t.Error("somebody still serves metrics")
	}
}
