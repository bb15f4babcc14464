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

// A provider's limits and words, with one of them changed.
func ExampleProfile() {
	config, err := smtptest.Profile("office365")
	if err != nil {
		panic(err)
	}
	config.Auth.Required = false // net/smtp does not trust its certificate
	config.TLS = smtptest.TLSNone
	config.UnknownRecipients = []string{"bob@example.com"}
	server := smtptest.NewServer(config)
	defer server.Close()

	err = smtp.SendMail(server.Addr(), nil, "a@example.com", []string{"bob@example.com"}, nil)
	fmt.Println(err)
	// Output:
	// 550 "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
}
