package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/spf13/cobra"
)

// bulkServers are the servers that share the rows.
type bulkServers struct {
	urls          []string
	weights       []int
	passwordFiles []string
	ca            string
}

func (f *bulkServers) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.urls, "server", nil, "connection `URL` (default: the variable KAIZEN_SERVER); may be repeated")
	flags.IntSliceVar(&f.weights, "weight", nil, "`SHARE` of the rows for each --server, in their order (default: each takes what it can)")
	flags.StringArrayVar(&f.passwordFiles, "password-file", nil, "read the password from `FILE`: one for all, or one for each --server")
	flags.StringVar(&f.ca, "ca", "", "trust the certificates in this PEM `FILE`, and no others")
}

// accounts are the servers, with their passwords.
func (f *bulkServers) accounts(ctx context.Context, app *app, cmd *cobra.Command) (servers []bulk.Server, err error) {
	if err := f.check(); err != nil {
		return nil, misuse(cmd, err)
	}
	for i, url := range append(f.urls, "")[:max(1, len(f.urls))] {
		one := serverFlags{url: url, ca: f.ca}
		if len(f.passwordFiles) > 0 {
			one.passwordFile = f.passwordFiles[min(i, len(f.passwordFiles)-1)]
		}
		server := bulk.Server{}
		if server.Account, err = one.account(app, cmd); err != nil {
			return nil, err
		}
		if err := one.findPassword(ctx, app, &server.Account); err != nil {
			return nil, err
		}
		if f.weights != nil {
			server.Weight = f.weights[i]
		}
		servers = append(servers, server)
	}
	return servers, nil
}

func (f *bulkServers) check() error {
	if n := len(f.passwordFiles); n > 1 && n != len(f.urls) {
		return fmt.Errorf("%d --password-file for %d --server: give one for all, or one for each", n, len(f.urls))
	}
	if f.weights == nil {
		return nil
	}
	if len(f.weights) != len(f.urls) {
		return fmt.Errorf("%d --weight for %d --server: give one for each", len(f.weights), len(f.urls))
	}
	for _, w := range f.weights {
		if w < 1 {
			return errors.New("--weight is not a positive number")
		}
	}
	return nil
}

// senderOf is the first user name that is an address.
func senderOf(servers []bulk.Server) string {
	for _, s := range servers {
		if strings.Contains(s.Account.Username, "@") {
			return s.Account.Username
		}
	}
	return ""
}
