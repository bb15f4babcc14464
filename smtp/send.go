package smtp

import "context"

// Send sends one message and waits for its outcome. The error is the result's
// Err, an [*Error], and nil exactly when every recipient was accepted. There is
// no result if the login failed before the message was begun.
//
// When ctx ends the connection is cut: the message is not sent, or its outcome
// is unknown if the octets that can deliver it had been written.
func (c *Conn) Send(ctx context.Context, t *Transaction) (*Result, error) {
	var result *Result
	told := t.Done
	t.Done = func(r *Result) {
		result = r
		if told != nil {
			told(r)
		}
	}
	next := t
	err := c.Stream(ctx, func(bool) *Transaction {
		t := next
		next = nil
		return t
	})
	switch {
	case result == nil:
		return nil, err
	case result.Err != nil:
		return result, result.Err
	}
	return result, nil
}
