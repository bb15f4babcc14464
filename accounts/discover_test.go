package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/accounts"
	"github.com/kaizenmail/kaizen/smtp"
)

// zone answers for one domain; what is not in it does not exist.
type zone struct {
	srv    map[string][]*net.SRV // by name, as "_submissions._tcp.example.com."
	mx     map[string][]*net.MX
	fails  map[string]error
	silent bool // until the context ends
}

func (z *zone) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	full := "_" + service + "._" + proto + "." + name
	err := z.answer(ctx, full, len(z.srv[full]))
	return full, z.srv[full], err
}

func (z *zone) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return z.mx[name], z.answer(ctx, name, len(z.mx[name]))
}

func (z *zone) answer(ctx context.Context, name string, records int) error {
	switch {
	case z.silent:
		<-ctx.Done()
		return &net.DNSError{Err: ctx.Err().Error(), Name: name, IsTimeout: true}
	case z.fails[name] != nil:
		return z.fails[name]
	case records == 0:
		return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return nil
}

func discover(t *testing.T, address string, z *zone) accounts.Discovery {
	t.Helper()
	d, err := accounts.Discover(t.Context(), address, accounts.DiscoverOptions{Resolver: z})
	if err != nil {
		t.Fatalf("Discover(%q): %v", address, err)
	}
	return d
}

// shown is the candidates in short, foreign ones with an exclamation mark.
func shown(d accounts.Discovery) (all []string) {
	for _, c := range d.Candidates {
		one := fmt.Sprintf("%s %s:%d", c.Origin, c.Host, c.Port)
		if c.TLS == smtp.TLSImplicit {
			one += " implicit"
		}
		if c.Preset != nil {
			one += " " + c.Preset.Name
		}
		if c.Foreign {
			one += "!"
		}
		all = append(all, one)
	}
	return all
}

func srv(priority, weight, port uint16, target string) *net.SRV {
	return &net.SRV{Target: target, Port: port, Priority: priority, Weight: weight}
}

const (
	submissions = "_submissions._tcp.example.com."
	submission  = "_submission._tcp.example.com."
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	many := make([]*net.SRV, 2000)
	for i := range many {
		many[i] = srv(uint16(i), 0, 465, fmt.Sprintf("s%d.example.com.", i))
	}
	for _, tt := range []struct {
		name    string
		address string // default: ann@example.com
		zone    zone
		want    []string
	}{
		{name: "a well-known domain", address: "ann@gmail.com", want: []string{"domain smtp.gmail.com:465 implicit gmail"},
			zone: zone{srv: map[string][]*net.SRV{"_submissions._tcp.gmail.com.": {srv(0, 0, 465, "evil.example.")}}}},
		{name: "nothing published"},
		{name: "SRV records before the MX", want: []string{"srv mail.example.com:465 implicit", "srv mail.example.com:587"},
			zone: zone{
				srv: map[string][]*net.SRV{submission: {srv(0, 0, 587, "mail.example.com.")}, submissions: {srv(9, 0, 465, "Mail.Example.COM.")}},
				mx:  map[string][]*net.MX{"example.com.": {{Host: "aspmx.l.google.com.", Pref: 1}}}}},
		{name: "priority, then weight", want: []string{"srv c.example.com:465 implicit", "srv d.example.com:465 implicit", "srv a.example.com:465 implicit", "srv b.example.com:465 implicit"},
			zone: zone{srv: map[string][]*net.SRV{submissions: {srv(20, 9, 465, "a.example.com."), srv(20, 1, 465, "b.example.com."), srv(10, 5, 465, "c.example.com."), srv(10, 1, 465, "d.example.com.")}}}},
		{name: "a host outside of the domain", want: []string{"srv smtp.fastmail.com:465 implicit fastmail!", "srv mail.example.com.evil.example:465 implicit!", "srv notexample.com:465 implicit!", "srv example.com:465 implicit"},
			zone: zone{srv: map[string][]*net.SRV{submissions: {srv(1, 0, 465, "smtp.fastmail.com."), srv(2, 0, 465, "mail.example.com.evil.example."), srv(3, 0, 465, "notexample.com."), srv(4, 0, 465, "example.com.")}}}},
		{name: "the same record again and again", want: []string{"srv mail.example.com:465 implicit"},
			zone: zone{srv: map[string][]*net.SRV{submissions: {srv(0, 0, 465, "mail.example.com."), srv(0, 0, 465, "MAIL.example.com."), srv(5, 0, 465, "mail.example.com")}}}},
		{name: "targets that are no hosts", want: []string{"srv ok.example.com:465 implicit"},
			zone: zone{srv: map[string][]*net.SRV{submissions: {srv(0, 0, 465, ""), srv(0, 0, 465, "a b.example.com."), srv(0, 0, 465, "x\r\ny.example.com."), srv(0, 0, 465, "_x.example.com."),
				srv(0, 0, 465, "192.0.2.1."), srv(0, 0, 465, "192.0.2.1"), srv(0, 0, 465, strings.Repeat("a", 64)+".example.com."), srv(0, 0, 0, "port0.example.com."), srv(9, 0, 465, "ok.example.com.")}}}},
		{name: "one service is not offered", want: []string{"srv mail.example.com:587"},
			zone: zone{srv: map[string][]*net.SRV{submissions: {srv(0, 0, 0, ".")}, submission: {srv(0, 0, 587, "mail.example.com.")}}}},
		{name: "MX of Google", want: []string{"mx smtp.gmail.com:465 implicit google-workspace"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "alt1.aspmx.l.google.com.", Pref: 5}, {Host: "ASPMX.L.GOOGLE.COM.", Pref: 1}}}}},
		{name: "MX of Microsoft", want: []string{"mx smtp.office365.com:587 office365"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "example-com.mail.protection.outlook.com.", Pref: 0}}}}},
		{name: "MX of Outlook.com", want: []string{"mx smtp-mail.outlook.com:587 outlook"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "example-com.olc.protection.outlook.com.", Pref: 0}}}}},
		{name: "MX of Zoho in Europe", want: []string{"mx smtppro.zoho.eu:465 implicit zoho-business-eu"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "mx2.zoho.eu.", Pref: 20}, {Host: "mx.zoho.eu.", Pref: 10}}}}},
		{name: "MX of Fastmail", want: []string{"mx smtp.fastmail.com:465 implicit fastmail"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "in1-smtp.messagingengine.com.", Pref: 10}}}}},
		{name: "MX of mailbox.org", want: []string{"mx smtp.mailbox.org:465 implicit mailbox-org"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "mxext1.mailbox.org.", Pref: 10}}}}},
		{name: "the preferred MX decides", want: []string{"mx smtp.fastmail.com:465 implicit fastmail"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "aspmx.l.google.com.", Pref: 20}, {Host: "in1-smtp.messagingengine.com.", Pref: 10}}}}},
		{name: "an MX in front of a known one", want: []string{"mx smtp.gmail.com:465 implicit google-workspace"},
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "spamfilter.example.net.", Pref: 1}, {Host: "aspmx.l.google.com.", Pref: 5}}}}},
		{name: "an MX of one's own, one that looks like Google, and none at all (RFC 7505)",
			zone: zone{mx: map[string][]*net.MX{"example.com.": {{Host: "mail.example.com.", Pref: 1}, {Host: "notgoogle.com.", Pref: 1}, {Host: "google.com.example.", Pref: 1}, {Host: ".", Pref: 0}}}}},
		{name: "an internationalized domain", address: "ann@Bücher.Example", want: []string{"srv xn--bcher-kva.example:465 implicit", "srv xn--ml-tja.xn--bcher-kva.example:465 implicit"},
			zone: zone{srv: map[string][]*net.SRV{"_submissions._tcp.xn--bcher-kva.example.": {srv(0, 0, 465, "xn--bcher-kva.example."), srv(1, 0, 465, "mïl.bücher.example.")}}}},
		{name: "records beside an error", want: []string{"srv mail.example.com:465 implicit"}, // as net.Resolver does when some names are invalid
			zone: zone{srv: map[string][]*net.SRV{submissions: {srv(0, 0, 465, "mail.example.com.")}}, fails: map[string]error{submissions: errors.New("DNS response contained records which contain invalid names")}}},
		{name: "many records", zone: zone{srv: map[string][]*net.SRV{submissions: many}}, want: []string{
			"srv s0.example.com:465 implicit", "srv s1.example.com:465 implicit", "srv s2.example.com:465 implicit", "srv s3.example.com:465 implicit", "srv s4.example.com:465 implicit",
			"srv s5.example.com:465 implicit", "srv s6.example.com:465 implicit", "srv s7.example.com:465 implicit", "srv s8.example.com:465 implicit", "srv s9.example.com:465 implicit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.address == "" {
				tt.address = "Ann <ann@example.com>"
			}
			d := discover(t, tt.address, &tt.zone)
			if got := shown(d); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if d.NotOffered || len(d.Failures) > 0 {
				t.Errorf("not offered: %t, failures: %v", d.NotOffered, d.Failures)
			}
		})
	}
}

func TestDiscoverNotOffered(t *testing.T) {
	t.Parallel()
	// The domain's word counts more than what its MX suggests.
	d := discover(t, "ann@example.com", &zone{
		srv: map[string][]*net.SRV{submissions: {srv(0, 0, 0, ".")}, submission: {srv(0, 0, 0, ".")}},
		mx:  map[string][]*net.MX{"example.com.": {{Host: "aspmx.l.google.com.", Pref: 1}}},
	})
	if !d.NotOffered || len(d.Candidates) > 0 {
		t.Errorf("got %+v", d)
	}
}

func TestDiscoverFailures(t *testing.T) {
	t.Parallel()
	broken := &net.DNSError{Err: "server misbehaving", Name: "example.com", IsTemporary: true}
	d := discover(t, "ann@example.com", &zone{
		fails: map[string]error{submissions: broken, submission: broken},
		mx:    map[string][]*net.MX{"example.com.": {{Host: "aspmx.l.google.com.", Pref: 1}}},
	})
	if got := shown(d); len(got) != 1 || d.NotOffered {
		t.Errorf("the MX is known: got %q", got)
	}
	if len(d.Failures) != 2 || !errors.Is(d.Failures[0], broken) || !strings.Contains(d.Failures[0].Error(), "_submissions._tcp.example.com") {
		t.Errorf("failures: %v", d.Failures)
	}
}

func TestDiscoverWhenDNSIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		d, err := accounts.Discover(t.Context(), "ann@example.com", accounts.DiscoverOptions{Resolver: &zone{silent: true}})
		if err != nil || len(d.Failures) != 3 || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %v, failures %v", time.Since(start), err, d.Failures)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		_, err = accounts.Discover(ctx, "ann@example.com", accounts.DiscoverOptions{Resolver: &zone{silent: true}, Timeout: -1})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("the caller's time is up after %v: %v", time.Since(start), err)
		}
	})
}

func TestDiscoverNoAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "ann", "ann@", "@example.com", "ann@ex ample.com", "ann@[192.0.2.1]", "ann@-x.example", "ann@" + strings.Repeat("a", 64) + ".example", "ann@a..b", "ann@xn--a.example"} {
		_, err := accounts.Discover(t.Context(), address, accounts.DiscoverOptions{Resolver: &zone{}})
		if _, ok := errors.AsType[*accounts.AddressError](err); !ok {
			t.Errorf("Discover(%q): %v, want an AddressError", address, err)
		}
	}
}
