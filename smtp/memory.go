package smtp

// Memory is what was learned about one server: how far commands may be grouped,
// which login works, how much it takes on one connection. It is shared by all
// connections to that server and forgets after a day. The zero value is ready
// for use; it is safe for concurrent use.
type Memory struct{}
