package accounts

import (
	"fmt"
	"slices"
	"strings"
)

const longestName = 64

// CheckName reports whether a name can be an account's: 1 to 64 letters (ASCII),
// digits and - _ . @ +, not beginning with a dot. Names that differ in case only
// are the same name to [Store.Put], as they are to some file systems; so are the
// names that Windows keeps for devices, with or without an ending, which nobody
// can have.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("an account needs a name")
	case len(name) > longestName:
		return fmt.Errorf("%.20q… cannot be an account's name: it has %d characters, at most %d", name, len(name), longestName)
	case name[0] == '.':
		return fmt.Errorf("%q cannot be an account's name: it begins with a dot", name)
	case strings.ContainsFunc(name, func(r rune) bool { return !inName(r) }):
		return fmt.Errorf("%q cannot be an account's name: letters, digits and - _ . @ + can be in one", name)
	case isDevice(name):
		return fmt.Errorf("%q cannot be an account's name: Windows keeps it for a device", name)
	case name[len(name)-1] == '.':
		return fmt.Errorf("%q cannot be an account's name: it ends with a dot", name)
	}
	return nil
}

func inName(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.@+", r)
}

// isDevice holds for names that Windows opens as a device, whatever their ending.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	if len(stem) == 4 && (stem[:3] == "com" || stem[:3] == "lpt") {
		return '0' <= stem[3] && stem[3] <= '9'
	}
	return slices.Contains([]string{"con", "prn", "aux", "nul"}, stem)
}

// similar returns those of the known words that may have been meant, best first.
func similar(word string, known []string) []string {
	type candidate struct {
		word     string
		distance int
	}
	var found []candidate
	for _, k := range known {
		distance := editDistance(bareWord(word), bareWord(k))
		if distance <= max(1, min(len(word), len(k))/3) {
			found = append(found, candidate{k, distance})
		} else if len(word) >= 3 && strings.HasPrefix(bareWord(k), bareWord(word)) {
			found = append(found, candidate{k, len(k)})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var words []string
	for _, c := range found[:min(len(found), maxSuggestions)] {
		words = append(words, c.word)
	}
	return words
}

// bareWord is a key or name without what people write differently.
func bareWord(word string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(word))
}
