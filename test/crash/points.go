package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// role is what a process is for.
type role string

const (
	deliverer role = "deliver" // it also puts
	producer  role = "put"
)

// point is a place at which processes are killed.
type point struct {
	name string
	kind kind
	role role // who is killed; empty: either
	most int  // the process is killed at the 1st to most-th time
}

type kind uint8

const (
	inCode   kind = iota // at a place that internal/crashpoint names
	atServer             // when the server is at a message of the process
	atRandom             // when anything at all happens
	atStart              // soon after the start
)

// knownPoints are places in the store whose names are put together there, so that
// they cannot be found in the source.
var knownPoints = []string{"put.before", "put.after", "claim.before", "claim.after", "begin.before", "begin.after", "settle.before", "settle.after"}

// otherPoints are there whatever the code says.
var otherPoints = []point{
	{"server.mail", atServer, deliverer, 60},     // MAIL has come
	{"server.data", atServer, deliverer, 60},     // DATA has come
	{"server.final", atServer, deliverer, 60},    // the final octet has come, the server has not decided
	{"server.accepted", atServer, deliverer, 60}, // it has taken the message, and not replied
	{"server.replied", atServer, deliverer, 60},  // it has replied
	{"random.deliver", atRandom, deliverer, 400},
	{"random.put", atRandom, producer, 300},
	{"start", atStart, deliverer, 1},
}

var hit = regexp.MustCompile(`crashpoint\.Hit\("([^"]+)"\)`)

// findPoints reads the source, so that no place is forgotten.
func findPoints(root string) ([]point, error) {
	var points []point
	for _, name := range knownPoints {
		points = append(points, codePoint(name))
	}
	found := len(points)
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "test"):
			return fs.SkipDir
		case path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(os.DirFS(root), name)
		for _, match := range hit.FindAllStringSubmatch(string(source), -1) {
			if p := codePoint(match[1]); !slices.Contains(points, p) {
				points = append(points, p)
			}
		}
		return err
	})
	if err == nil && len(points) == found {
		err = fmt.Errorf("no crashpoint.Hit in the source: start this in the root of the tree")
	}
	slices.SortFunc(points, func(a, b point) int { return strings.Compare(a.name, b.name) })
	return append(points, otherPoints...), err
}

func codePoint(name string) point {
	p := point{name, inCode, deliverer, 40}
	switch area, _, _ := strings.Cut(name, "."); area {
	case "put":
		p.role, p.most = "", 100
	case "claim":
		p.most = 8
	case "body":
		p.role, p.most = "", 4
	case "checkpoint":
		p.most = 2
	case "migrate", "recover":
		p.most = 1
	}
	return p
}

func pick(points []point, name string) ([]point, error) {
	var names []string
	for _, p := range points {
		if p.name == name {
			return []point{p}, nil
		}
		names = append(names, p.name)
	}
	return nil, fmt.Errorf("no place %q; there are %s", name, strings.Join(names, ", "))
}

// kill is a point and its how-manieth time.
type kill struct {
	point
	n int
}

func (k kill) String() string { return fmt.Sprintf("%s:%d", k.name, k.n) }

// plan says where the processes of a run are killed, in the order of their lives:
// at the point whose turn it is first, then at one or two others.
func plan(seed uint64, dice *rand.Rand, points []point) map[role][]kill {
	kills := map[role][]kill{}
	add := func(p point, most int) {
		who := p.role
		if who == "" {
			who = [...]role{deliverer, producer}[dice.IntN(2)]
		}
		kills[who] = append(kills[who], kill{p, 1 + dice.IntN(min(p.most, most))})
	}
	first := points[seed%uint64(len(points))]
	add(first, first.most)
	for range 1 + dice.IntN(2) {
		add(points[dice.IntN(len(points))], 5)
	}
	return kills
}
