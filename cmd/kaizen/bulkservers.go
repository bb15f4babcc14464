package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/spf13/cobra"
)

// bulkServers are the servers that share the rows.
type bulkServers struct {
	names         []string // of accounts
	urls          []string
	weights       []int
	passwordFiles []string
	several       bool // what is sent is queued, so that rules and chains may choose
	wayFlags
}

func (f *bulkServers) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.names, "account", nil, "the account called `NAME` (default: as with kaizen send); may be repeated")
	flags.StringArrayVar(&f.urls, "server", nil, "instead of an account: connection `URL`; may be repeated")
	flags.IntSliceVar(&f.weights, "weight", nil, "`SHARE` of the rows for each --account or --server, in their order (default: each takes what it can)")
	flags.StringArrayVar(&f.passwordFiles, "password-file", nil, "read the password from `FILE`: one for all, or one for each --server")
	f.wayFlags.bind(flags)
}

// targets are the servers that share the rows. To rehearse takes no secret.
func (f *bulkServers) targets(ctx context.Context, app *app, cmd *cobra.Command, rehearse bool) (targets []*target, err error) {
	if err := f.check(); err != nil {
		return nil, misuse(cmd, err)
	}
	for _, one := range f.each() {
		one.noSecret = rehearse
		t, err := one.account(app, cmd)
		if err == nil && !rehearse {
			err = one.findPassword(ctx, app, t)
		}
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

func (f *bulkServers) shares(targets []*target) []bulk.Server {
	servers := make([]bulk.Server, len(targets))
	for i, t := range targets {
		servers[i].Account = t.Account
		if t.routed {
			servers[i].Account.Name = "routes" // in the journal
		}
		if f.weights != nil {
			servers[i].Weight = f.weights[i]
		}
	}
	return servers
}

// each is the flags of each server, as other commands have them.
func (f *bulkServers) each() []serverFlags {
	all := make([]serverFlags, max(1, len(f.names)+len(f.urls)))
	for i := range all {
		all[i].wayFlags, all[i].several = f.wayFlags, f.several
		if len(f.passwordFiles) > 0 {
			all[i].passwordFile = f.passwordFiles[min(i, len(f.passwordFiles)-1)]
		}
		if i < len(f.names) {
			all[i].name = f.names[i]
		} else if i < len(f.urls) {
			all[i].url = f.urls[i]
		}
	}
	return all
}

func (f *bulkServers) check() error {
	if len(f.names) > 0 && len(f.urls) > 0 {
		return errors.New("--account or --server, not both")
	}
	flag, given := "--server", len(f.urls)
	if len(f.names) > 0 {
		flag, given = "--account", len(f.names)
	}
	if n := len(f.passwordFiles); n > 1 && n != given {
		return fmt.Errorf("%d --password-file for %d %s: give one for all, or one for each", n, given, flag)
	}
	if f.weights == nil {
		return nil
	}
	if len(f.weights) != given {
		return fmt.Errorf("%d --weight for %d %s: give one for each", len(f.weights), given, flag)
	}
	for _, w := range f.weights {
		if w < 1 {
			return errors.New("--weight is not a positive number")
		}
	}
	return nil
}
