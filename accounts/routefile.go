package accounts

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kaizenmail/kaizen/route"
)

// routeTables are the [[routes]] of kaizen.toml.
type routeTables struct {
	rules []route.Rule
	// at are where the accounts of each rule stand, and those to fall back to.
	at []struct{ accounts, fallback *FileError }
}

// routeKeys in the order of the documentation.
var routeKeys = []string{"name", "from", "to", "tag", "accounts", "fallback"}

const routesKey = "routes"

// readRoutes reads [[routes]].
func (s *settings) readRoutes(d *document, value any) error {
	list, ok := value.([]any)
	if !ok {
		return d.wrong([]string{routesKey}, errors.New("must be tables like [[routes]]"))
	}
	for i, one := range list {
		path := []string{routesKey, strconv.Itoa(i + 1)}
		t, ok := one.(table)
		if !ok {
			return d.wrong(path, errors.New("must be a table: [[routes]]"))
		}
		r, err := d.rule(path, t)
		if err != nil {
			return err
		}
		s.routes.rules = append(s.routes.rules, r)
		s.routes.at = append(s.routes.at, struct{ accounts, fallback *FileError }{
			d.wrong(append(path, "accounts"), nil), d.wrong(append(slices.Clone(path), "fallback"), nil)})
	}
	_, err := route.New(route.Config{Rules: s.routes.rules})
	var wrong *route.RuleError
	if errors.As(err, &wrong) {
		return d.wrong([]string{routesKey, strconv.Itoa(wrong.Index + 1), wrong.Field}, wrong.Err)
	}
	return err
}

// rule reads one of [[routes]].
func (d *document) rule(path []string, t table) (r route.Rule, err error) {
	for _, key := range slices.Sorted(maps.Keys(t)) {
		at := append(slices.Clone(path), key)
		switch key {
		case "name":
			var ok bool
			if r.Name, ok = t[key].(string); !ok || r.Name == "" {
				err = d.wrong(at, errors.New("must be a text in quotes"))
			}
		case "from":
			r.From, err = d.words(at, t[key])
		case "to":
			r.To, err = d.words(at, t[key])
		case "tag":
			r.Tags, err = d.words(at, t[key])
		case "accounts":
			r.Accounts, err = d.shares(at, t[key])
		case "fallback":
			r.Fallback, err = d.names(at, t[key])
		default:
			err = d.unknown(at, routeKeys)
		}
		if err != nil {
			return r, err
		}
	}
	if r.Accounts == nil {
		return r, d.wrong(append(path, "accounts"), errors.New(`is missing: which accounts are for these messages? accounts = ["NAME"]`))
	}
	return r, nil
}

// words reads a text or a list of them.
func (d *document) words(path []string, value any) ([]string, error) {
	if one, ok := value.(string); ok {
		return []string{one}, nil
	}
	list, ok := value.([]any)
	words := make([]string, len(list))
	for i := range list {
		word, isText := list[i].(string)
		words[i], ok = word, ok && isText
	}
	if !ok || len(list) == 0 {
		return nil, d.wrong(path, errors.New(`must be a text or a list of texts: ["one", "two"]`))
	}
	return words, nil
}

func (d *document) names(path []string, value any) ([]string, error) {
	names, err := d.words(path, value)
	for _, name := range names {
		if wrong := CheckName(name); wrong != nil && err == nil {
			err = d.wrong(path, wrong)
		}
	}
	return names, err
}

// shares reads accounts with their weights: "office 3". Without one it is 1.
func (d *document) shares(path []string, value any) (shares []route.Share, err error) {
	words, err := d.words(path, value)
	if err != nil {
		return nil, err
	}
	for _, word := range words {
		name, weight, _ := strings.Cut(word, " ")
		share := route.Share{Account: name, Weight: 1}
		if err := CheckName(name); err != nil {
			return nil, d.wrong(path, err)
		}
		if weight = strings.TrimSpace(weight); weight != "" {
			if share.Weight, err = strconv.Atoi(weight); err != nil || share.Weight < 0 || share.Weight > route.MaxWeight {
				return nil, d.wrong(path, fmt.Errorf(`%q is no account with a weight, like "office 3": weights are 0 to %d`, word, route.MaxWeight))
			}
		}
		shares = append(shares, share)
	}
	return shares, nil
}
