package accounts

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// errPlainPassword tells where a password belongs.
var errPlainPassword = errors.New("a password must not stand in this file: store it encrypted (kaizen account password NAME, or Store.SetSecret), or name its source with password_env, password_file or password_command")

// entry reads the account in the table at path. Everything that is wrong with it
// is in the error.
func (d *document) entry(name string, t table, path []string) (Entry, error) {
	e := Entry{Name: name, Source: d.file, Line: max(1, d.line(path...))}
	var wrong []error
	sources, ofProxy := 0, 0
	d.eachKey(t, path, func(key string, at []string, value any) {
		f, ok := fieldOf(key)
		switch {
		case key == "password" || key == "secret" || key == "pass" || key == "oauth.client_secret":
			wrong = append(wrong, d.wrong(at, errPlainPassword))
			return
		case !ok:
			wrong = append(wrong, d.unknown(at, siblings(key)))
			return
		}
		if strings.HasPrefix(key, "password_") {
			sources++
		}
		if strings.HasPrefix(key, "proxy_password_") {
			ofProxy++
		}
		if err := f.read(&e, value); err != nil {
			wrong = append(wrong, d.wrong(at, err))
		}
	})
	if sources > 1 {
		wrong = append(wrong, d.wrong(path, errors.New("give one of password_env, password_file and password_command")))
	}
	if ofProxy > 1 {
		wrong = append(wrong, d.wrong(path, errors.New("give one of proxy_password_env, proxy_password_file and proxy_password_command")))
	}
	return e, errors.Join(wrong...)
}

// nested are the tables within an account.
var nested = []string{"oauth", "timeouts"}

// eachKey goes through a table in the order of its keys; those of nested tables as
// "timeouts.connect".
func (d *document) eachKey(t table, path []string, visit func(key string, at []string, value any)) {
	for _, key := range slices.Sorted(maps.Keys(t)) {
		at := append(slices.Clone(path), key)
		if below, ok := t[key].(table); ok && slices.Contains(nested, key) {
			for _, inner := range slices.Sorted(maps.Keys(below)) {
				visit(key+"."+inner, append(slices.Clone(at), inner), below[inner])
			}
			continue
		}
		visit(key, at, t[key])
	}
}

// siblings are the keys that may be meant by an unknown one.
func siblings(key string) []string {
	if prefix, _, ok := strings.Cut(key, "."); ok {
		var inner []string
		for _, k := range Keys() {
			if rest, ok := strings.CutPrefix(k, prefix+"."); ok {
				inner = append(inner, rest)
			}
		}
		return inner
	}
	return append(Keys(), nested...)
}

// read sets the field from a TOML value.
func (f field) read(e *Entry, value any) error {
	v, err := f.convert(value)
	if err != nil {
		return err
	}
	return f.set(e, v)
}

func (f field) convert(value any) (any, error) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil, errors.New("is empty: leave the key out instead")
		}
		if f.form == formText || f.form == formCommand {
			return v, nil
		}
	case int64:
		if f.form == formNumber && int64(int(v)) == v {
			return int(v), nil
		}
	case bool:
		if f.form == formFlag {
			return v, nil
		}
	case []any:
		if f.form == formList || f.form == formCommand {
			return texts(v)
		}
	}
	return nil, fmt.Errorf("must be %s", f.form)
}

// String says what a value must look like.
func (f form) String() string {
	return [...]string{`text in quotes`, "a number without quotes", "true or false", `a list like ["a", "b"]`, `text in quotes or a list like ["program", "argument"]`}[f]
}

func texts(values []any) ([]string, error) {
	list := make([]string, 0, len(values))
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, errors.New("must have texts in quotes only")
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, errors.New("is empty: leave the key out instead")
	}
	return list, nil
}

// table turns the entry back into what a file has.
func (e *Entry) table() table {
	t := table{}
	for _, f := range fields {
		if v := f.get(e); v != nil {
			t[f.key] = v
		}
	}
	return t
}

const fileHeader = "# Written by kaizen. Accounts that you write yourself belong in kaizen.toml.\n"

// marshal writes the keys of a file of accounts.d, or those of a table in a
// bundle, in the order of the documentation.
func (e *Entry) marshal() ([]byte, error) {
	var b bytes.Buffer
	for _, f := range fields {
		v := f.get(e)
		if v == nil {
			continue
		}
		line, err := toml.Marshal(table{"v": v})
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.key, err)
		}
		b.WriteString(f.key + strings.TrimPrefix(string(line), "v"))
	}
	return b.Bytes(), nil
}

// fromText reads what a person typed for the field.
func (f field) fromText(s string) (any, error) {
	switch f.form {
	case formNumber:
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		return n, nil
	case formFlag:
		yes, err := strconv.ParseBool(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", s)
		}
		return yes, nil
	case formList:
		var items []string
		for one := range strings.SplitSeq(s, ",") {
			items = append(items, strings.TrimSpace(one))
		}
		return items, nil
	}
	return s, nil
}
