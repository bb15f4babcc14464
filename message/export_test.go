package message

// Bytes lets tests see which messages are kept in memory.
func (m *Message) Bytes() ([]byte, bool, error) {
	p, err := m.prepare()
	if err != nil {
		return nil, false, err
	}
	return p.inMemory()
}
