package smtp

import "crypto/tls"

// Trace is a set of hooks into a connection, as [net/http/httptrace.ClientTrace].
// Any hook may be nil. Hooks are called from the goroutine that drives the
// connection (while dialling, several addresses may be tried at once) and must
// not block. Credentials never reach a hook: they are replaced by "<secret>".
type Trace struct {
	ConnectStart func(network, addr string)
	ConnectDone  func(network, addr string, err error)
	TLSStart     func()
	TLSDone      func(state tls.ConnectionState, err error)
	// Sent sees a command line without its line end, or the content of a message
	// as a placeholder like "<2048 octets>".
	Sent func(line string)
	// Received sees every reply.
	Received func(Reply)
	// Closed is told why the connection ended; nil after a QUIT.
	Closed func(err error)
}
