// Package mailtemplate makes messages from templates and data: a subject, a
// text and an HTML part, in the languages of text/template and html/template.
//
// [New] compiles a [Source]; [Template.Render] fills it with one person's data;
// [Rendered.Fill] puts the result into a message:
//
//	source, err := mailtemplate.Read(os.DirFS("letters/welcome"))
//	t, err := mailtemplate.New(source)
//	r, err := t.Render(map[string]any{"name": "Ann"})
//	r.Fill(&msg)
//
// # Safety
//
// Data cannot become markup: what goes into HTML is escaped for the place it
// goes to (see html/template), and inlining the style sheet changes nothing but
// style attributes. The text part and the subject are not HTML and not escaped.
// Nothing is printed for a value that is not there: a missing key and a null
// are errors, unless [Source.AllowMissing] makes them empty.
//
// A template that calls itself without end, or loops for ever, ends in an error.
//
// # Functions
//
// Beside those of text/template there are
//
//	default X V     V, or X if V is missing, null, empty, zero or false
//	upper V         in upper case; lower V: in lower case
//	title V         the first letter of each word in upper case
//	trim V          without surrounding space
//	join S LIST     the elements of LIST with S between them
//	date LAYOUT V   a time in a layout of package time: date "2 January 2006" .due
//	fixed N V       a number with N decimal places: fixed 2 .amount
//
// V may come through a pipe: {{.name | trim | default "friend"}}. date takes a
// time.Time or a string such as 2026-01-31 or 2026-01-31T09:30:00Z; fixed takes
// a number or a string that holds one.
package mailtemplate
