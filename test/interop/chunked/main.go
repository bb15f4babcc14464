// Command chunked sends a file with BDAT (RFC 3030): what "kaizen send" does only for
// content that cannot go otherwise.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/message"
	"github.com/kaizenmail/kaizen/smtp"
)

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: chunked URL CA FROM TO FILE")
		os.Exit(64)
	}
	if err := send(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func send(url, ca, from, to, file string) error {
	account, err := kaizen.ParseURL(url)
	if err != nil {
		return err
	}
	trusted, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	account.TLSConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	account.TLSConfig.RootCAs.AppendCertsFromPEM(trusted)
	content, err := message.RawFile(file).Content()
	if err != nil {
		return err
	}
	receipt, err := kaizen.DialAndSend(context.Background(), account, &kaizen.Prepared{
		Envelope: smtp.Envelope{From: from, To: []smtp.Recipient{{Address: to}}},
		Content:  content,
		Chunking: true,
	})
	if err == nil {
		fmt.Println(receipt.Outcome)
	}
	return err
}
