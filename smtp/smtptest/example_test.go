package smtptest_test

import (
	"fmt"
	"net/smtp"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// The server takes the message, then loses the reply: the client sees an error,
// the accounts tell the truth.
func Example() {
	fault, err := smtptest.ParseFault("after-final:drop:1st")
	if err != nil {
		panic(err)
	}
	server := smtptest.NewServer(smtptest.Config{Faults: []smtptest.Fault{fault}})
	defer server.Close()

	message := []byte("Message-ID: <1@example.com>\r\n\r\nHello\r\n")
	err = smtp.SendMail(server.Addr(), nil, "a@example.com", []string{"b@example.com"}, message)
	fmt.Println(err)
	fmt.Println(server.Accepted()["<1@example.com>"].Times)
	// Output:
	// EOF
	// 1
}
