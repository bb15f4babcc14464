package pool_test

import (
	"sync/atomic"
	"testing"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// A refused login is told, once, wherever it happens: that is what keeps the next
// process from trying it.
func TestRefusedLoginIsTold(t *testing.T) {
	t.Parallel()
	wrong := refusal(smtp.ClassAuth, 535)
	wrong.Phase = smtp.PhaseAuth
	for name, s := range map[string]*server{
		"with a message": {auth: true, authErr: wrong},
		"before one":     {auth: true, authErr: wrong},
		"at the dial":    {dialErr: func(int) error { return wrong }},
		"at MAIL": {verdict: func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
			return &smtp.Result{Err: refusal(smtp.ClassAuth, 530)}
		}},
		"at the dial, warm": {dialErr: func(int) error { return wrong }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var told atomic.Int32
				var healthy atomic.Bool
				p := pool.New(pool.Config{MinIdle: 1, Connections: 1,
					OnRefused: func(key string, err *smtp.Error) {
						if key == "a" && err.Class == smtp.ClassAuth && err.Outcome == smtp.NotSent {
							told.Add(1)
						}
					},
					OnHealth: func(h pool.Health) { healthy.Store(h.Cause != pool.CauseLogin) }})
				if name == "before one" || name == "at the dial, warm" {
					p.Warm(s.target("a"))
					pass(1)
				}
				for _, err := range crowd(p, s.target("a"), 3) {
					if class(err) != smtp.ClassAuth {
						t.Errorf("%v", err)
					}
				}
				pass(1)
				if n := told.Load(); n != 1 || healthy.Load() {
					t.Errorf("told %d times, healthy %v", n, healthy.Load())
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
