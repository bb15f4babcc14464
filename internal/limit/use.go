package limit

// Use is what messages take of the windows: how many they are, for how many
// recipients, of how many octets together.
type Use struct {
	Messages   int64 `json:"messages,omitempty"`
	Recipients int64 `json:"recipients,omitempty"`
	Octets     int64 `json:"octets,omitempty"`
}

// Message is what one message takes. Octets below zero are unknown; see
// [Limiter.Fits].
func Message(recipients int, octets int64) Use {
	return Use{Messages: 1, Recipients: int64(max(recipients, 1)), Octets: octets}
}

// Of is the part of u that a window of that unit counts.
func (u Use) Of(unit Unit) int64 {
	switch unit {
	case Recipients:
		return u.Recipients
	case Octets:
		return u.Octets
	}
	return u.Messages
}

// Plus is u and v together.
func (u Use) Plus(v Use) Use {
	return Use{u.Messages + v.Messages, u.Recipients + v.Recipients, u.Octets + v.Octets}
}

// Minus is u without v.
func (u Use) Minus(v Use) Use {
	return Use{u.Messages - v.Messages, u.Recipients - v.Recipients, u.Octets - v.Octets}
}

// Times is n of u.
func (u Use) Times(n int64) Use { return Use{n * u.Messages, n * u.Recipients, n * u.Octets} }

// Covers reports whether v can be taken of u.
func (u Use) Covers(v Use) bool {
	return u.Messages >= v.Messages && u.Recipients >= v.Recipients && u.Octets >= v.Octets
}

// IsZero reports whether u is nothing.
func (u Use) IsZero() bool { return u == Use{} }
