package interop_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// checkLevels sends over every link, with and without a login, at every level.
func checkLevels(t *testing.T, w *workshop, r *productReport, in *instance) {
	for _, k := range links {
		offered := r.offered[k.name]
		for _, login := range []bool{false, true} {
			if !tried(k, login) {
				continue
			}
			row := rowOf(k, login)
			if login && len(offered.Auth) == 0 {
				r.absent(row, noAuth, levelColumns...)
				continue
			}
			t.Run(row, func(t *testing.T) {
				for _, level := range []smtp.Level{smtp.LevelLockStep, smtp.LevelGroup, smtp.LevelLookAhead} {
					t.Run(level.String(), func(t *testing.T) { checkLevel(t, w, r, in, session{k, login}, row, level) })
				}
				t.Run("BDAT", func(t *testing.T) { checkBDAT(t, w, r, in, session{k, login}, row) })
			})
		}
	}
}

// checkLevel sends in all ways that there are.
func checkLevel(t *testing.T, w *workshop, r *productReport, in *instance, s session, row string, level smtp.Level) {
	defer r.result(t, row, level.String())
	offered, url := r.offered[s.link.name], s.link.url(in, s.login, level)
	t.Run("pool", func(t *testing.T) {
		done := sendPool(t, s.account(w, in, level), offered, letters(t, amount(200, 110)), false)
		in.expectLetters(t, done.accepted, s)
		done.checkLink(t, s)
		switch {
		case done.level == level:
		case !offered.Pipelining && done.level == smtp.LevelLockStep:
			r.note(row, level.String(), noPipelining)
		default:
			t.Errorf("the messages went at level %v", done.level)
		}
	})
	t.Run("send", func(t *testing.T) {
		some := number(append(large(t)[:1], hard(t)...))
		if short() {
			some = number(hard(t)[:3])
		} else if s.login && s.link.tls == smtp.TLSStartTLS && level == smtp.LevelLookAhead {
			some = number(append(large(t), append(hard(t), composed(t)...)...))
		}
		in.expectLetters(t, sendProgram(t, w, url, offered, some), s)
		checkComposed(t, w, in, url)
	})
	t.Run("bulk", func(t *testing.T) { checkBulk(t, w, in, url, amount(50, 20)) })
}

// checkBDAT has one way only: the programs use BDAT for nothing that can go
// otherwise.
func checkBDAT(t *testing.T, w *workshop, r *productReport, in *instance, s session, row string) {
	defer r.result(t, row, "BDAT")
	offered := r.offered[s.link.name]
	done := sendPool(t, s.account(w, in, smtp.LevelAuto), offered, letters(t, amount(200, 110)), true)
	in.expectLetters(t, done.accepted, s)
	done.checkLink(t, s)
	switch {
	case offered.Chunking && done.bdat < len(done.accepted):
		t.Errorf("%d BDAT commands for %d messages", done.bdat, len(done.accepted))
	case !offered.Chunking && done.bdat > 0:
		t.Errorf("BDAT was sent to a server that does not offer CHUNKING")
	case !offered.Chunking:
		r.note(row, "BDAT", noChunking)
	}
}

func (s session) account(w *workshop, in *instance, level smtp.Level) kaizen.Account {
	a := s.link.account(w, in)
	if a.MaxLevel = level; s.login {
		a.Username, a.Password = user, password
	}
	return a
}

// checkLink looks whether the connections were what they should have been.
func (d *traffic) checkLink(t *testing.T, s session) {
	t.Helper()
	if s.link.tls != smtp.TLSNone && d.versions[tls.VersionTLS13] != d.dialled {
		t.Errorf("of %d connections %d have TLS 1.3: %v", d.dialled, d.versions[tls.VersionTLS13], d.versions)
	}
	if s.link.tls == smtp.TLSNone && len(d.versions) > 0 {
		t.Errorf("TLS on a plain link: %v", d.versions)
	}
	if s.login != (len(d.mechanisms) > 0) {
		t.Errorf("login %t, but AUTH was sent so often: %v", s.login, d.mechanisms)
	}
}

// checkLogins logs in by each mechanism the server offers, over each link.
func checkLogins(t *testing.T, w *workshop, r *productReport, in *instance) {
	for _, mechanism := range mechanisms {
		for _, k := range links {
			if !slices.Contains(r.offered[k.name].Auth, mechanism) {
				r.absent(mechanism, noMechanism, k.name)
				continue
			}
			t.Run(mechanism+" over "+k.name, func(t *testing.T) {
				defer r.result(t, mechanism, k.name)
				account := k.account(w, in)
				account.Auth = &smtp.Auth{Username: user, Password: password, Mechanisms: []string{mechanism}}
				done := sendPool(t, account, r.offered[k.name], number(hard(t)[:1]), false)
				in.expectLetters(t, done.accepted, session{k, true})
				if done.mechanisms[mechanism] != 1 {
					t.Errorf("AUTH was sent so often: %v", done.mechanisms)
				}
			})
		}
	}
}

func amount(full, brief int) int {
	if short() {
		return brief
	}
	return full
}
