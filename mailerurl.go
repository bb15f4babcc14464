package kaizen

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/sendmail"
)

// mailerURL is what a connection URL says of a [Mailer].
type mailerURL struct {
	command sendmail.Options
	folder  maildrop.Options
	path    string
}

// mailerScheme is a scheme of connection URLs that names no server.
type mailerScheme struct {
	parameters string // its own, for errors
	read       map[string]func(m *mailerURL, value string) error
	mailer     func(m *mailerURL) (Mailer, error)
}

var mailerSchemes = map[string]mailerScheme{
	"sendmail": {"args, dsn, timeout", map[string]func(*mailerURL, string) error{
		"args":    func(m *mailerURL, v string) error { m.command.Args = strings.Fields(v); return nil },
		"dsn":     func(m *mailerURL, v string) error { return readFlag(&m.command.DSN, v) },
		"timeout": func(m *mailerURL, v string) error { return readPatience(&m.command.Timeout, v) },
	}, func(m *mailerURL) (Mailer, error) {
		m.command.Path = m.path
		return sendmail.New(m.command), nil
	}},
	"maildir": {"bare, sync", folderParameters, folderOf(maildrop.Maildir)},
	"eml":     {"bare, sync", folderParameters, folderOf(maildrop.EML)},
}

var folderParameters = map[string]func(*mailerURL, string) error{
	"bare": func(m *mailerURL, v string) error { return readFlag(&m.folder.Bare, v) },
	"sync": func(m *mailerURL, v string) error {
		sync := true
		err := readFlag(&sync, v)
		m.folder.NoSync = !sync
		return err
	},
}

func folderOf(format maildrop.Format) func(*mailerURL) (Mailer, error) {
	return func(m *mailerURL) (Mailer, error) {
		if m.path == "" {
			return nil, &URLError{"path", errors.New("missing: write the folder behind the scheme, as in maildir:///tmp/preview")}
		}
		m.folder.Format = format
		return maildrop.New(m.path, m.folder), nil
	}
}

// parseMailerURL makes an account of a URL that names no server; ok is false if
// this is none.
func parseMailerURL(s string) (a Account, ok bool, err error) {
	name, _, _ := strings.Cut(s, ":")
	scheme, ok := mailerSchemes[strings.ToLower(name)]
	if !ok {
		return Account{}, false, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return Account{}, true, &URLError{"form", errors.New("not a URL like " + strings.ToLower(name) + ":///path (percent-encode % ? and #)")}
	}
	var m mailerURL
	if m.path, err = pathOf(u); err == nil {
		err = m.readParameters(&a, u, scheme)
	}
	if err == nil {
		a.Mailer, err = scheme.mailer(&m)
	}
	if err != nil {
		return Account{}, true, err
	}
	return a, true, nil
}

// pathOf is scheme:///path, or scheme:path for one that is relative.
func pathOf(u *url.URL) (string, error) {
	switch {
	case u.Host != "" || u.User != nil:
		return "", &URLError{"path", fmt.Errorf("it begins behind three slashes, as in %s:///path, or behind none", u.Scheme)}
	case u.Fragment != "":
		return "", &URLError{"path", errors.New("percent-encode # (%23)")}
	}
	path := u.Path
	if u.Opaque != "" {
		opaque, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return "", &URLError{"path", errors.New("percent-encode % (%25)")}
		}
		path = opaque
	}
	if hasControl(path) {
		return "", &URLError{"path", errControl}
	}
	if path == "/" { // as URLs without a path are written
		path = ""
	}
	if drive, found := strings.CutPrefix(path, "/"); found && filepath.VolumeName(drive) != "" {
		path = drive // file:///C:/mail is written so, too
	}
	return filepath.FromSlash(path), nil
}

// mailerCommon are the parameters that say something of every account.
const mailerCommon = "name, connections, rate"

func (m *mailerURL) readParameters(a *Account, u *url.URL, scheme mailerScheme) error {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return &URLError{"parameters", errors.New("not of the form ?name=value&name=value")}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all := values[name]
		own := scheme.read[name]
		common := slices.Contains(strings.Split(mailerCommon, ", "), name)
		switch {
		case own == nil && !common:
			return &URLError{"parameters", fmt.Errorf("%q is none of %s, %s, which go with %s", name, mailerCommon, scheme.parameters, u.Scheme)}
		case len(all) != 1:
			return &URLError{name, errors.New("given more than once")}
		case common:
			err = parameters[name](a, all[0])
		default:
			err = own(m, all[0])
		}
		if err != nil {
			return &URLError{name, err}
		}
	}
	return nil
}

func readFlag(to *bool, v string) error {
	yes, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", v)
	}
	*to = yes
	return nil
}

func readPatience(to *time.Duration, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration like 30s or 5m", v)
	}
	*to = d
	return nil
}
