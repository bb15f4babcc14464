package mailtemplate

import (
	"fmt"
	htmltemplate "html/template"
	"maps"
	"reflect"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"
)

// functions returns the ones a template may call. What has no value stays so in
// upper, lower, title, trim, date and fixed: printing it is the error.
func (s Source) functions() (funcs map[string]any, err error) {
	funcs = map[string]any{
		"default": defaultTo,
		"upper":   onText(strings.ToUpper),
		"lower":   onText(strings.ToLower),
		"title":   onText(title),
		"trim":    onText(strings.TrimSpace),
		"join":    join,
		"date":    date,
		"fixed":   fixed,

		"print":   s.onPresent(fmt.Sprint),
		"println": s.onPresent(fmt.Sprintln),
		"printf": func(format string, args ...any) (string, error) {
			return s.onPresent(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
		},
		"html":     s.onPresent(texttemplate.HTMLEscaper),
		"js":       s.onPresent(texttemplate.JSEscaper),
		"urlquery": s.onPresent(texttemplate.URLQueryEscaper),
	}
	maps.Copy(funcs, s.Funcs)
	// The standard library panics over a function that it cannot call.
	defer func() {
		if refused := recover(); refused != nil {
			err = &Error{Part: "Funcs", Err: fmt.Errorf("%v", refused)}
		}
	}()
	texttemplate.New("").Funcs(funcs)
	return funcs, nil
}

// guards are the functions that the guard calls.
func (s Source) guards() map[string]any {
	return map[string]any{
		funcPresent:  s.present,
		funcOptional: lookUp,
		funcVerbatim: func(s string) htmltemplate.HTML { return htmltemplate.HTML(s) },
	}
}

// present returns a value that is to be printed, if it is there.
func (s Source) present(expression string, v any) (any, error) {
	if !isNothing(v) {
		return v, nil
	}
	if s.AllowMissing {
		return "", nil
	}
	return nil, &missingError{expression}
}

// onPresent guards the functions that would print "<no value>" or "<nil>".
func (s Source) onPresent(f func(args ...any) string) func(args ...any) (string, error) {
	return func(args ...any) (string, error) {
		present := make([]any, len(args))
		for i, arg := range args {
			v, err := s.present("an argument of a function that prints it", arg)
			if err != nil {
				return "", err
			}
			present[i] = v
		}
		return bound(f(present...))
	}
}

// bound refuses what a loop made by doubling it.
func bound(s string) (string, error) {
	if len(s) > maxOutput {
		return "", errEndless
	}
	return s, nil
}

func isNothing(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// lookUp follows names through maps and structs. One that is missing, or null,
// leads to nothing, and so does all behind it.
func lookUp(from any, names ...string) (any, error) {
	v := reflect.ValueOf(from)
	for _, name := range names {
		if method := methodOf(v, name); method.IsValid() {
			v = method.Call(nil)[0]
			continue
		}
		for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch {
		case !v.IsValid():
			return nil, nil
		case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
			v = v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key()))
		case v.Kind() == reflect.Struct && v.FieldByName(name).IsValid() && unicode.IsUpper([]rune(name)[0]):
			v = v.FieldByName(name)
		default:
			return nil, fmt.Errorf("a %s has no field %s", v.Type(), name)
		}
	}
	if !v.IsValid() {
		return nil, nil
	}
	return v.Interface(), nil
}

// methodOf finds a method that takes nothing and returns one value.
func methodOf(v reflect.Value, name string) reflect.Value {
	if !v.IsValid() || v.Kind() == reflect.Interface && v.IsNil() || v.Kind() == reflect.Pointer && v.IsNil() {
		return reflect.Value{}
	}
	m := v.MethodByName(name)
	if m.IsValid() && m.Type().NumIn() == 0 && m.Type().NumOut() == 1 {
		return m
	}
	return reflect.Value{}
}

func defaultTo(otherwise, v any) any {
	if truth, _ := texttemplate.IsTrue(v); truth && !isNothing(v) {
		return v
	}
	return otherwise
}

func onText(f func(string) string) func(any) any {
	return func(v any) any {
		if isNothing(v) {
			return nil
		}
		return f(fmt.Sprint(v))
	}
}

// title leaves what is not a first letter as it is: McDonald, USA.
func title(s string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		first := !unicode.IsLetter(before) && !unicode.IsDigit(before) && before != '\'' && before != '’'
		before = r
		if first {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

func join(separator string, list any) (string, error) {
	v := reflect.ValueOf(list)
	if !v.IsValid() {
		return "", nil
	}
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return "", fmt.Errorf("join: a %s is not a list", v.Type())
	}
	elements := make([]string, v.Len())
	for i := range elements {
		elements[i] = fmt.Sprint(v.Index(i).Interface())
	}
	return bound(strings.Join(elements, separator))
}

// dateLayouts are how dates are written in data.
var dateLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", time.DateOnly}

func date(layout string, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case time.Time:
		return v.Format(layout), nil
	case *time.Time:
		if v == nil {
			return nil, nil
		}
		return v.Format(layout), nil
	}
	s := strings.TrimSpace(fmt.Sprint(v))
	for _, known := range dateLayouts {
		if t, err := time.Parse(known, s); err == nil {
			return t.Format(layout), nil
		}
	}
	return nil, fmt.Errorf("date: %.40q is not like 2026-01-31 or 2026-01-31T09:30:00Z", s)
}

func fixed(places int, v any) (any, error) {
	if isNothing(v) {
		return nil, nil
	}
	if places < 0 || places > 20 {
		return nil, fmt.Errorf("fixed: %d decimal places: from 0 to 20 can be had", places)
	}
	s := strings.TrimSpace(fmt.Sprint(v))
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("fixed: %.40q is not a number such as 1234.5", s)
	}
	return strconv.FormatFloat(f, 'f', places, 64), nil
}
