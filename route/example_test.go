package route_test

import (
	"fmt"
	"log"

	"github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// A message to two people goes two ways: colleagues have a relay of their own.
func ExampleTable_Route() {
	table, err := route.New(route.Config{
		Rules: []route.Rule{{
			Name: "inside", To: []string{"example.com", "*.example.com"},
			Accounts: []route.Share{{Account: "relay", Weight: 1}}, Fallback: []string{"office"},
		}},
		Default: "office",
	})
	if err != nil {
		log.Fatal(err)
	}
	parts, err := table.Route(route.Message{Envelope: &smtp.Envelope{From: "ann@example.com", To: smtp.To("bob@example.com", "eve@example.net")}})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range parts {
		fmt.Println(p.Account, p.Recipients, p.Why)
	}
	// Output:
	// relay>office [0] rule "inside": to bob@example.com matches example.com
	// office [1] no rule matches: the default account
}
