package accounts

import (
	"errors"

	"github.com/kaizenmail/kaizen/route"
)

// routing is a table and the settings that it was made of.
type routing struct {
	of    *snapshot
	table *route.Table
}

// Routes returns the rules of kaizen.toml, the [[routes]], in their order; with the
// default account, see [Store.Default], for messages that no rule is for. Without
// rules it has the default account alone. The table is kept until a file changes;
// rules that have not changed go on with their shares. Errors: a [*FileError],
// also around a [*NotFoundError] where a rule names an account that does not exist.
func (s *Store) Routes() (*route.Table, error) {
	n, err := s.settings(anyAccount)
	if err != nil {
		return nil, err
	}
	last := s.routing.Load()
	if last != nil && last.of == n {
		return last.table, nil
	}
	table, err := s.routes(n, last)
	if err != nil {
		return nil, err
	}
	s.routing.Store(&routing{n, table})
	return table, nil
}

// anyAccount asks for settings that are current but for the accounts' own.
const anyAccount = ""

func (s *Store) routes(n *snapshot, last *routing) (*route.Table, error) {
	if err := s.accountsOfRoutes(n); err != nil {
		return nil, err
	}
	standard, err := s.standard(n)
	if none := (*NoDefaultError)(nil); errors.As(err, &none) && len(n.written.routes.rules) > 0 {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	config := route.Config{Rules: n.written.routes.rules, Default: standard}
	if last != nil {
		config.Earlier = last.table
	}
	return route.New(config)
}

// accountsOfRoutes finds rules that name an account that does not exist.
func (s *Store) accountsOfRoutes(n *snapshot) error {
	missing := func(at *FileError, name string) error {
		if _, ok := n.found[name]; ok {
			return nil
		}
		wrong := *at
		wrong.Err = &NotFoundError{Name: name, Dir: s.dir, Suggestions: similar(name, n.names)}
		return &wrong
	}
	for i, r := range n.written.routes.rules {
		at := n.written.routes.at[i]
		for _, share := range r.Accounts {
			if err := missing(at.accounts, share.Account); err != nil {
				return err
			}
		}
		for _, name := range r.Fallback {
			if err := missing(at.fallback, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Router chooses accounts by the rules of kaizen.toml. It implements
// [kaizen.Router], and is safe for concurrent use.
type Router struct{ store *Store }

// Router returns the rules as they are at each message; see [Store.Routes].
func (s *Store) Router() *Router { return &Router{s} }

// Route tells how a message goes.
func (r *Router) Route(m route.Message) ([]route.Part, error) {
	table, err := r.store.Routes()
	if err != nil {
		return nil, err
	}
	return table.Route(m)
}
