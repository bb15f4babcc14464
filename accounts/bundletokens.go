package accounts

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// packToken takes the tokens of an account along, and reports whether it can log in
// with what is carried, or needs none.
func (s *Store) packToken(ctx context.Context, b *bundle, report *ExportReport, e *Entry, withSecret bool) (bool, error) {
	if !e.OAuthConfig().Flow.Interactive() {
		return true, nil // the next one is got without a person
	}
	if !withSecret {
		return false, nil
	}
	_, t, err := s.loadToken(ctx, e.Name)
	if err != nil || t.IsZero() {
		return false, err
	}
	b.tokens[e.Name] = fileOf(t)
	report.Tokens = append(report.Tokens, e.Name)
	return true, nil
}

func (b *bundle) readTokens(d *document, t table) error {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		content, err := toml.Marshal(t[name])
		if err == nil {
			_, err = readToken(bundleFile, content)
		}
		var f tokenFile
		if err == nil {
			err = toml.Unmarshal(content, &f)
		}
		if err != nil {
			return d.wrong([]string{"tokens", name}, errors.New("must be a table as in tokens/NAME.age"))
		}
		b.tokens[name] = f
	}
	return nil
}

func (b *bundle) checkTokens(d *document) error {
	for _, name := range slices.Sorted(maps.Keys(b.tokens)) {
		if !slices.ContainsFunc(b.entries, func(e *Entry) bool { return e.Name == name && e.UsesOAuth() }) {
			return d.wrong([]string{"tokens", name}, errors.New("is of no account in the bundle that uses OAuth 2"))
		}
	}
	return nil
}

// unpackTokens writes tokens, and drops those that must not go to another server.
func (s *Store) unpackTokens(ctx context.Context, n *snapshot, b *bundle, report *ImportReport) error {
	for _, e := range b.entries {
		f, carried := b.tokens[e.Name]
		before := n.found[e.Name].entry
		kept := before != nil && sameServer(before, e)
		var err error
		switch {
		case carried:
			err = s.unpackToken(ctx, e.Name, f)
			report.Tokens = append(report.Tokens, e.Name)
		case !kept:
			err = s.dropToken(e.Name)
		}
		if err != nil {
			return err
		}
		if e.UsesOAuth() && e.OAuthConfig().Flow.Interactive() && !s.exists(filepath.Join(tokensName, e.Name+tokenEnding)) && !slices.Contains(report.Missing, e.Name) {
			report.Missing = append(report.Missing, e.Name)
		}
	}
	return nil
}

func (s *Store) unpackToken(ctx context.Context, name string, f tokenFile) error {
	n, err := s.settings()
	if err != nil {
		return err
	}
	o, err := s.tokenOpener(ctx, n)
	if err != nil {
		return err
	}
	return s.writeTokenFile(name, f, o)
}

// sameAuthority holds where secret and tokens would go to the same authorization
// server.
func sameAuthority(a, b *Entry) bool {
	one, other := a.OAuthConfig(), b.OAuthConfig()
	return a.UsesOAuth() == b.UsesOAuth() && one.Provider == other.Provider && one.Tenant == other.Tenant && one.TokenURL == other.TokenURL &&
		one.DeviceURL == other.DeviceURL && one.RevokeURL == other.RevokeURL
}
