package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// bulkWithMetrics runs a mail merge whose rows come one by one, and reads its
// metrics after the first.
func (s *stage) bulkWithMetrics() string {
	s.t.Helper()
	cmd := s.command(s.t.Context(), "bulk", "--rows", "-", "--format", "jsonl", "--journal", "journal", "--from", "ann@example.com",
		"--metrics", "0", "--subject", "s", "--text", "t", "--json")
	rows, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	var stdout strings.Builder
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewReader(stderr)
	var told strings.Builder
	page := ""
	for page == "" {
		line, err := lines.ReadString('\n')
		told.WriteString(line)
		if err != nil {
			s.t.Fatalf("there are no metrics: %s", told.String())
		}
		if after, found := strings.CutPrefix(line, "metrics at "); found {
			page = strings.TrimSpace(after)
		}
	}
	fmt.Fprintln(rows, `{"email": "bob@example.org"}`)
	text := s.scrape(page)
	rows.Close()
	rest, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("bulk: %v: %s%s", err, told.String(), rest)
	}
	s.search("standard error of kaizen bulk", told.String()+string(rest))
	s.search("standard output of kaizen bulk", stdout.String())
	return text
}

// scrape reads the page until a message was sent.
func (s *stage) scrape(page string) string {
	s.t.Helper()
	glance := time.NewTicker(20 * time.Millisecond)
	defer glance.Stop()
	text := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-glance.C {
		response, err := http.Get(page)
		if err != nil {
			s.t.Fatal(err)
		}
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		if text = string(content); strings.Contains(text, `outcome="accepted"`) {
			return text
		}
	}
	return text
}
