package accounts

import (
	"context"
	"errors"
	"fmt"
)

// SetDefault chooses the account that is meant where none is named. An empty name
// removes the choice. If kaizen.toml has a default, the error is a
// [*HandWrittenError].
func (s *Store) SetDefault(ctx context.Context, name string) error {
	return s.change(ctx, func(n *snapshot) error {
		if n.written.standard != "" {
			return &HandWrittenError{What: "the default account", File: n.written.file, Line: n.written.standardLine}
		}
		if _, ok := n.found[name]; name != "" && !ok {
			return &NotFoundError{Name: name, Dir: s.dir, Suggestions: similar(name, n.names)}
		}
		own := n.own
		own.standard = name
		return s.writeOwn(own)
	})
}

// Add writes a new account and, if secret is not empty, its secret. It fails with
// [ErrExists] if there is one of that name. The entry's Source and Line are not
// used.
func (s *Store) Add(ctx context.Context, e Entry, secret string) error {
	if secret != "" {
		if err := s.ask(ctx); err != nil {
			return err
		}
	}
	return s.change(ctx, func(n *snapshot) error {
		if f, ok := n.found[e.Name]; ok {
			return fmt.Errorf("%w: %q stands in %s", ErrExists, e.Name, f.file())
		}
		return s.putBoth(ctx, n, e, secret)
	})
}

// dropLeftover removes the secret of a former account of that name, which must
// not go to the server of the new one.
func (s *Store) dropLeftover(ctx context.Context, n *snapshot, e *Entry) error {
	if _, known := n.found[e.Name]; known {
		return nil
	}
	if err := s.dropToken(e.Name); err != nil {
		return err
	}
	if e.Secret.Kind != SecretStored || !e.logsIn() || !s.exists(secretsName) {
		return nil
	}
	return s.changeSecrets(ctx, n, func(passwords map[string]string) { dropSecrets(passwords, e.Name) })
}

// putBoth writes the secret first: an account without its secret would be of no
// use, a secret without an account does no harm.
func (s *Store) putBoth(ctx context.Context, n *snapshot, e Entry, secret string) error {
	if err := s.mayPut(n, &e); err != nil {
		return err
	}
	if _, err := e.Account(); err != nil {
		return err
	}
	var err error
	if secret == "" {
		err = s.dropLeftover(ctx, n, &e)
	} else {
		err = s.putSecret(ctx, n, &e, secret)
	}
	if err != nil {
		return err
	}
	return s.putEntry(e)
}

// Put writes an account to accounts.d, whether or not it exists. Its secret stays
// as it is. An account that stands in kaizen.toml is refused with a
// [*HandWrittenError]. The entry's Source and Line are not used.
func (s *Store) Put(ctx context.Context, e Entry) error {
	return s.change(ctx, func(n *snapshot) error { return s.putBoth(ctx, n, e, "") })
}

func (s *Store) mayPut(n *snapshot, e *Entry) error {
	e.Source, e.Line, e.dir = "", 0, s.dir
	if err := e.check(); err != nil {
		return err
	}
	if other, twice := n.clash(e.Name); twice {
		return fmt.Errorf("%w: %q differs from %q in case only, which some file systems do not tell apart", ErrExists, e.Name, other)
	}
	return n.editable(e.Name)
}

// editable refuses what people wrote.
func (n *snapshot) editable(name string) error {
	f, ok := n.found[name]
	if ok && f.view == nil && f.entry != nil {
		return &HandWrittenError{What: fmt.Sprintf("account %q", name), File: f.entry.Source, Line: f.entry.Line}
	}
	return nil
}

func (s *Store) putEntry(e Entry) error {
	content, err := e.marshal()
	if err != nil {
		return err
	}
	return s.writeFile(s.accountPath(e.Name), append([]byte(fileHeader), content...))
}

// SetSecret encrypts the password of an account, also of one that stands in
// kaizen.toml. It fails with a [*SecretError] if the account takes its password
// from elsewhere, or does not log in.
func (s *Store) SetSecret(ctx context.Context, name, secret string) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	return s.change(ctx, func(n *snapshot) error {
		e, err := s.entry(n, name)
		if err != nil {
			return err
		}
		return s.putSecret(ctx, n, e, secret)
	})
}

func (s *Store) putSecret(ctx context.Context, n *snapshot, e *Entry, secret string) error {
	if err := checkSecret(secret); err != nil {
		return &SecretError{Account: e.Name, Err: err}
	}
	if e.Secret.Kind != SecretStored {
		return &SecretError{Account: e.Name, Err: fmt.Errorf("it comes from %s", e.Secret), Hint: "change it there, or remove that setting"}
	}
	if !e.logsIn() {
		return &SecretError{Account: e.Name, Err: errors.New("the account does not log in"), Hint: "set its username first"}
	}
	err := s.changeSecrets(ctx, n, func(passwords map[string]string) { passwords[e.secretKey()] = secret })
	s.Forget(e.Name)
	return err
}

// HasSecret reports whether secrets.age has a secret for an account as it is set up
// now: its password, or with OAuth that of its client. It needs the key.
func (s *Store) HasSecret(ctx context.Context, name string) (bool, error) {
	e, err := s.Entry(name)
	if err != nil {
		return false, err
	}
	opened, err := s.openSecrets(ctx)
	if err != nil {
		return false, err
	}
	return opened.passwords[e.secretKey()] != "", nil
}

// Remove removes an account, its secret and tokens, and the choice of it as the default. An
// account that stands in kaizen.toml is refused with a [*HandWrittenError]. The
// secret is still in secrets.age.bak, encrypted, until the next change of a
// secret.
func (s *Store) Remove(ctx context.Context, name string) error {
	if e, err := s.Entry(name); err == nil && e.Secret.Kind == SecretStored {
		if err := s.ask(ctx); err != nil {
			return err
		}
	}
	return s.change(ctx, func(n *snapshot) error {
		f, ok := n.found[name]
		if !ok {
			return &NotFoundError{Name: name, Dir: s.dir, Suggestions: similar(name, n.names)}
		}
		if err := n.editable(name); err != nil {
			return err
		}
		var twice *DuplicateError
		if errors.As(f.err, &twice) {
			return f.err
		}
		err := s.changeSecrets(ctx, n, func(passwords map[string]string) { dropSecrets(passwords, name) })
		if err != nil && f.entry != nil && f.entry.Secret.Kind == SecretStored {
			return err
		}
		if err := errors.Join(s.dropToken(name), s.removeFile(s.tokenLock(name)), s.removeFile(f.view.path)); err != nil {
			return err
		}
		s.Forget(name)
		if n.own.standard != name {
			return nil
		}
		own := n.own
		own.standard = ""
		return s.writeOwn(own)
	})
}
