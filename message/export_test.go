package message

// Bytes lets tests see which messages are kept in memory.
func (m *Message) Bytes() ([]byte, bool, error) { return m.bytes() }
