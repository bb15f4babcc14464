package accounts

import (
	"slices"
	"strconv"
	"strings"
)

// UnknownPresetError says that no preset has the name, and which ones come near
// it.
type UnknownPresetError struct {
	Name        string
	Suggestions []string // names of presets, best first; none if nothing is near
	// Regional tells that the name is one of a service with a server for each
	// region; Suggestions are all of its presets then.
	Regional bool
}

// Error names the preset and what may have been meant.
func (e *UnknownPresetError) Error() string {
	said := "no provider is called " + strconv.Quote(e.Name)
	switch {
	case e.Regional:
		return "provider " + strconv.Quote(e.Name) + " has a server for each region: give one of " + strings.Join(e.Suggestions, ", ")
	case len(e.Suggestions) > 0:
		return said + ": did you mean " + strings.Join(e.Suggestions, " or ") + "?"
	}
	return said + ": name the server itself (host, port), or see the list of providers"
}

// AddressError says that something is no mail address with a domain.
type AddressError struct {
	Address string
	Err     error // what is wrong with the domain, if that is it
}

// Error quotes the address.
func (e *AddressError) Error() string {
	if e.Err != nil {
		return strconv.Quote(e.Address) + " is not a mail address: " + e.Err.Error()
	}
	return strconv.Quote(e.Address) + " is not a mail address like ann@example.com"
}

// Unwrap returns the cause.
func (e *AddressError) Unwrap() error { return e.Err }

func unknownPreset(name string) *UnknownPresetError {
	b := book()
	if all := b.regional[plainName(name)]; len(all) > 0 {
		return &UnknownPresetError{Name: name, Regional: true, Suggestions: presetNames(all)}
	}
	if len(name) > longestGuess {
		return &UnknownPresetError{Name: name}
	}
	return &UnknownPresetError{Name: name, Suggestions: b.near(plainName(name))}
}

func presetNames(presets []*Preset) []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.Name
	}
	return names
}

// longestGuess is longer than any name that could be meant.
const longestGuess = 64

// maxSuggestions is as many as a person compares at a glance.
const maxSuggestions = 3

// near are the presets whose names come closest to a plain name: those that
// begin with it, then those a slip or two apart.
func (b *presetBook) near(name string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	for known, p := range b.byName {
		distance := editDistance(name, known)
		if len(name) >= 3 && strings.HasPrefix(known, name) {
			distance = 0
		}
		if distance <= max(1, len(name)/4) {
			found = append(found, candidate{p.Name, distance})
		}
	}
	slices.SortFunc(found, func(a, c candidate) int {
		if a.distance != c.distance {
			return a.distance - c.distance
		}
		return strings.Compare(a.name, c.name)
	})
	var names []string
	for _, c := range found {
		if !slices.Contains(names, c.name) && len(names) < maxSuggestions {
			names = append(names, c.name)
		}
	}
	return names
}

// editDistance counts the octets to insert, remove, change or swap with their
// neighbour to turn a into b (optimal string alignment).
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
