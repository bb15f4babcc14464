package kaizen

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/internal/state"
	"github.com/kaizenmail/kaizen/smtp"
)

// StoppedError says that nothing is tried with an account, because its login was
// refused before: by this process, or by another one that shares its state.
type StoppedError struct {
	Since time.Time
}

// Error tells since when.
func (e *StoppedError) Error() string {
	return "stopped since " + e.Since.Local().Format("2006-01-02 15:04:05") + ", when the login was refused"
}

const stoppedHint = "correct the credentials; or, if they are right, let Verify or Resume start it again"

// keeper remembers what must outlive the pools of an account, and with a state
// directory the process: why it was stopped, what its server takes, and pauses.
// Its methods may write to disk.
type keeper struct {
	dir     *state.Dir // nil: memory only
	account string
	logger  *slog.Logger

	sessions sessions

	mu      sync.Mutex // guards what follows; no I/O under it
	key     string     // of the credentials in use
	auth    *smtp.Auth
	stop    *stop
	stale   bool      // a stop of other credentials is on disk, and not over
	cleared cleared   // what barred found last
	checked time.Time // when the disk was last asked what was lifted
	learned map[string]pool.Learned
	pause   pool.Pause
	shared  bool // the pause is on disk, so that somebody else can lift it
}

// stop is a refused login.
type stop struct {
	key  string
	kept bool // on disk, so that somebody else can lift it
	err  *smtp.Error
}

// cleared is a login that a stop on disk is not about, so that it need not be
// computed again.
type cleared struct{ key, salt string }

// writeTimeout bounds how long a note may take.
const writeTimeout = 10 * time.Second

// newKeeper reads what is known of the account.
func newKeeper(dir *state.Dir, account string, logger *slog.Logger) (*keeper, error) {
	k := &keeper{dir: dir, account: account, logger: logger, learned: make(map[string]pool.Learned)}
	if dir == nil {
		return k, nil
	}
	r, err := dir.Record(account)
	if err != nil {
		return nil, err
	}
	for server, l := range r.Learned {
		k.learned[server] = pool.Learned(l)
	}
	if p := r.Pause; p != nil {
		k.shared = true
		k.pause = pool.Pause{Until: p.Until, Err: &smtp.Error{Server: p.Server, Phase: p.Phase, Class: p.Class, Reply: p.Reply,
			Err: fmt.Errorf("paused until %s", p.Until.Local().Format("2006-01-02 15:04:05"))}}
	}
	return k, nil
}

// limiter is one for the account, with what is used of it on disk.
func (k *keeper) limiter(rates []limit.Rate) *limit.Limiter {
	if k.dir == nil {
		return limit.New(rates...)
	}
	return limit.NewShared(k.dir.Ledger(k.account), func(notice string) { k.logger.Warn(notice) }, rates...)
}

// use says which credentials are in use.
func (k *keeper) use(key string, auth *smtp.Auth) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key, k.auth = key, auth
}

// recall is what an earlier pool of the account knew.
func (k *keeper) recall(server string) (pool.Learned, pool.Pause) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.learned[server], k.pause
}

// barred is why the server must not be asked with these credentials: they were
// refused. Other processes may have seen that.
func (k *keeper) barred(key string, servers []string, auth *smtp.Auth) error {
	k.mu.Lock()
	known := k.stop
	k.mu.Unlock()
	if known != nil && known.key == key && !known.kept {
		return known.err
	}
	if k.dir == nil {
		return nil
	}
	r, err := k.dir.Record(k.account)
	if err != nil {
		return &smtp.Error{Phase: smtp.PhaseWaiting, Class: smtp.ClassState, Err: err}
	}
	var found *stop
	if s := r.Stop; s != nil && k.about(s, key, servers, auth) {
		found = &stop{key: key, kept: true, err: &smtp.Error{Server: s.Server, Phase: smtp.PhaseAuth, Class: smtp.ClassAuth,
			Reply: s.Reply, Err: &StoppedError{Since: s.Since}, Hint: cmp.Or(s.Hint, stoppedHint)}}
	}
	k.mu.Lock()
	if found != nil || k.stop != nil && k.stop.key == key {
		k.stop = found
	}
	k.stale = r.Stop != nil && found == nil && !r.Stop.Over
	k.mu.Unlock()
	if found != nil {
		return found.err
	}
	return nil
}

// about tells whether it was this login that was refused, by one of these servers.
func (k *keeper) about(s *state.Stop, key string, servers []string, auth *smtp.Auth) bool {
	if !slices.Contains(servers, s.Server) {
		return false
	}
	this := cleared{key, string(s.Salt)}
	k.mu.Lock()
	known := k.cleared == this
	k.mu.Unlock()
	if known {
		return false
	}
	if hmac.Equal(s.Mark, mark(auth, s.Salt)) {
		return true
	}
	k.mu.Lock()
	k.cleared = this
	k.mu.Unlock()
	return false
}

// mark tells logins apart without telling a password: it has too few bits to find
// one by, and takes too long for trying many. Tokens change by themselves, so of
// those who use some only the name and the grant count.
func mark(auth *smtp.Auth, salt []byte) []byte {
	if auth == nil {
		auth = &smtp.Auth{}
	}
	login := fmt.Sprintf("%q %q %q", auth.Username, auth.Password, auth.Identity)
	if auth.Grant != "" {
		login += fmt.Sprintf(" %q", auth.Grant)
	}
	const rounds, octets = 100_000, 2
	key, err := pbkdf2.Key(sha256.New, login, salt, rounds, octets)
	if err != nil { // of nothing but parameters
		return nil
	}
	return key
}

// refused notes a refused login. The account stays stopped, for everybody who
// shares the state, until its credentials change or somebody lifts it.
func (k *keeper) refused(key string, cause *smtp.Error) {
	if errors.As(cause.Err, new(*StoppedError)) {
		return // our own words
	}
	since := time.Now()
	told := *cause
	hint := hintOf(cause)
	told.Err, told.Hint = &StoppedError{Since: since}, cmp.Or(hint, stoppedHint)
	k.mu.Lock()
	auth, current := k.auth, k.key == key
	if current {
		k.stop = &stop{key: key, err: &told}
	}
	k.mu.Unlock()
	if !current || k.dir == nil {
		return
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	s := &state.Stop{Since: since, Server: cause.Server, Reply: cause.Reply, Text: cause.Error(), Hint: hint, Salt: salt, Mark: mark(auth, salt)}
	if k.note("stop", func(r *state.Record) bool { r.Stop = s; return true }) {
		k.mu.Lock()
		k.stop = &stop{key: key, kept: true, err: &told}
		k.mu.Unlock()
	}
}

// hintOf is what to do about a login that nobody was asked for: there was no token
// to be had.
func hintOf(cause *smtp.Error) string {
	told, ok := errors.AsType[interface {
		error
		Advice() string
	}](cause.Err)
	if !ok {
		return ""
	}
	return told.Advice()
}

// liftedElsewhere looks, once a second at most, whether another process has
// lifted the stop of these credentials, or the pause.
func (k *keeper) liftedElsewhere(key string, now time.Time) bool {
	k.mu.Lock()
	stopped := k.stop != nil && k.stop.kept && k.stop.key == key
	paused := k.shared && now.Before(k.pause.Until)
	look := (stopped || paused) && now.Sub(k.checked) >= time.Second
	if look {
		k.checked = now
	}
	k.mu.Unlock()
	if !look {
		return false
	}
	r, err := k.dir.Record(k.account)
	if err != nil || stopped && r.Stop != nil || paused && r.Pause != nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if stopped {
		k.stop = nil
	}
	if paused {
		k.pause, k.shared = pool.Pause{}, false
	}
	return true
}

// lift lets the account be used again.
func (k *keeper) lift() {
	k.mu.Lock()
	k.stop, k.stale, k.pause, k.shared = nil, false, pool.Pause{}, false
	k.mu.Unlock()
	k.note("resume", func(r *state.Record) bool {
		was := r.Stop != nil || r.Pause != nil
		r.Stop, r.Pause = nil, nil
		return was
	})
}

// proven says that these credentials work. A stop of others is over then: for
// the account, not for those others, which somebody may still be sending with.
func (k *keeper) proven(key string) {
	k.mu.Lock()
	own, others := k.stop != nil && k.stop.key == key, k.stale
	if own {
		k.stop = nil
	}
	k.stale = false
	k.mu.Unlock()
	if own || others {
		k.note("credentials that work", func(r *state.Record) bool {
			if r.Stop == nil {
				return false
			}
			if r.Stop.Over = true; own {
				r.Stop = nil
			}
			return true
		})
	}
}

// learn notes what a server takes.
func (k *keeper) learn(server string, l pool.Learned) {
	k.mu.Lock()
	k.learned[server] = l
	k.mu.Unlock()
	k.note("what the server takes", func(r *state.Record) bool {
		if r.Learned == nil {
			r.Learned = make(map[string]state.Learned)
		}
		r.Learned[server] = state.Learned(l)
		return true
	})
}

// paused notes a pause, or with the zero Pause its end.
func (k *keeper) paused(p pool.Pause) {
	k.mu.Lock()
	k.pause, k.shared = p, false
	k.mu.Unlock()
	var kept *state.Pause
	if p.Err != nil {
		kept = &state.Pause{Until: p.Until, Server: p.Err.Server, Phase: p.Err.Phase, Class: p.Err.Class, Reply: p.Err.Reply}
	}
	if !k.note("pause", func(r *state.Record) bool { r.Pause = kept; return true }) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pause == p {
		k.shared = p.Err != nil
	}
}

// note changes what is kept. That it cannot is told in the log: the message it
// was learned by has its own outcome.
func (k *keeper) note(what string, change func(*state.Record) bool) bool {
	if k.dir == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := k.dir.Update(ctx, k.account, change); err != nil {
		k.logger.Error("what was learned of an account cannot be kept", "account", k.account, "what", what, "error", err)
		return false
	}
	return true
}
