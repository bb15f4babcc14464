package corpus

import (
	"fmt"
	"maps"
	"slices"
)

// Difference is a field that was read as something else than it should be.
type Difference struct {
	Field     string // such as `to[2].name`
	Want, Got string // "absent" where there is none
}

const absent = "absent"

// Compare returns the fields that differ, sorted.
func Compare(want, got *Reading) (differences []Difference) {
	wanted, gotten := want.fields(), got.fields()
	all := maps.Clone(wanted)
	maps.Copy(all, gotten)
	for _, field := range slices.Sorted(maps.Keys(all)) {
		w, g := value(wanted, field), value(gotten, field)
		if w != g {
			differences = append(differences, Difference{field, w, g})
		}
	}
	return differences
}

func value(fields map[string]string, name string) string {
	if v, ok := fields[name]; ok {
		return fmt.Sprintf("%+q", v)
	}
	return absent
}

// fields lays a reading flat.
func (r *Reading) fields() map[string]string {
	flat := map[string]string{
		"subject": r.Subject, "date": r.Date, "messageID": r.MessageID, "text": r.Text, "html": r.HTML,
		"calendar": r.Calendar, "method": r.Method,
	}
	for name, list := range map[string][]Mailbox{
		"from": r.From, "sender": r.Sender, "replyTo": r.ReplyTo, "to": r.To, "cc": r.Cc, "bcc": r.Bcc,
	} {
		for i, m := range list {
			flat[fmt.Sprintf("%s[%d].name", name, i)] = m.Name
			flat[fmt.Sprintf("%s[%d].address", name, i)] = m.Address
		}
	}
	for name, values := range r.Header {
		for i, v := range values {
			flat[fmt.Sprintf("header.%s[%d]", name, i)] = v
		}
	}
	for i, f := range r.Files {
		f.lay(flat, fmt.Sprintf("files[%d].", i))
	}
	return flat
}

func (f *File) lay(flat map[string]string, prefix string) {
	for name, v := range map[string]string{
		"name": f.Name, "oldName": f.OldName, "type": f.Type, "disposition": f.Disposition, "contentID": f.ContentID,
		"related": fmt.Sprint(f.Related), "octets": fmt.Sprintf("%d, SHA-256 %s", f.Size, f.SHA256),
	} {
		flat[prefix+name] = v
	}
	for name, v := range f.Parameters {
		flat[prefix+"parameters."+name] = v
	}
}
