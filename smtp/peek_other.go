//go:build !unix

package smtp

import "net"

// peekSocket cannot look without blocking here: that the first transaction
// after a rest sends its envelope first must do.
func peekSocket(net.Conn) (waiting int, known bool, err error) { return 0, false, nil }
