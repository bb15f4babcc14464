package interop_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// sockets counts the connections to servers, as the kernel knows them. Its table
// changes while it is read; so those count that two looks one after the other have
// seen: between the two, all of them were open.
type sockets struct {
	ports map[string]string // as the kernel writes an address: host:port
	open  map[string]bool   // at the latest look, by what is their own
	most  map[string]peak   // by host:port
	halt  chan struct{}
	group sync.WaitGroup
	err   error
}

// peak is how many there were at most, and when first.
type peak struct {
	connections int
	at          time.Time
}

// String tells both.
func (p peak) String() string {
	return fmt.Sprintf("%d (first at %s)", p.connections, p.at.Format(clock))
}

const clock = "15:04:05.000"

// watchSockets looks a hundred times a second until it is stopped.
func watchSockets(t *testing.T, addresses ...string) *sockets {
	t.Helper()
	s := &sockets{ports: map[string]string{}, most: map[string]peak{}, halt: make(chan struct{})}
	for _, address := range addresses {
		a, err := netip.ParseAddrPort(address)
		must(t, err)
		s.ports[fmt.Sprintf("0100007F:%04X", a.Port())] = address // 127.0.0.1, the octets of a word backwards
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	s.group.Go(func() {
		defer ticker.Stop()
		for {
			select {
			case <-s.halt:
				return
			case <-ticker.C:
				s.look()
			}
		}
	})
	t.Cleanup(func() { s.stop() })
	return s
}

// The columns of the table, and a state.
const (
	local, remote, state, inode = 1, 2, 3, 9

	established = "01"
)

func (s *sockets) look() {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		s.err = err
		return
	}
	open, both := map[string]bool{}, map[string]int{}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) <= inode || f[state] != established || s.ports[f[remote]] == "" {
			continue
		}
		one := f[local] + " " + f[inode]
		if !open[one] && s.open[one] { // it may be shown twice, too
			both[s.ports[f[remote]]]++
		}
		open[one] = true
	}
	s.open = open
	for address, n := range both {
		if n > s.most[address].connections {
			s.most[address] = peak{n, time.Now()}
		}
	}
}

// stop returns the peaks, by address.
func (s *sockets) stop() (most map[string]peak, err error) {
	select {
	case <-s.halt:
	default:
		close(s.halt)
	}
	s.group.Wait()
	return s.most, s.err
}
