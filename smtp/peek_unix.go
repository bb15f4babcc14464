//go:build unix

package smtp

import (
	"io"
	"net"
	"syscall"
)

// peekSocket says what waits on a socket without reading it and without
// blocking: the number of octets (at least), io.EOF after the peer's FIN.
func peekSocket(conn net.Conn) (waiting int, known bool, err error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, true, err
	}
	var octet [1]byte
	// Control, not Read: Read would wait for readiness and take the read lock.
	controlErr := raw.Control(func(fd uintptr) {
		waiting, _, err = syscall.Recvfrom(int(fd), octet[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	switch {
	case controlErr != nil:
		return 0, true, controlErr
	case err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR:
		return 0, true, nil
	case err == nil && waiting == 0:
		return 0, true, io.EOF
	}
	return waiting, true, err
}
