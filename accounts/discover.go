package accounts

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Resolver looks up what a domain says about its mail; [net.Resolver] is one.
// Names are absolute: they end with a dot.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
}

// DiscoverOptions say how [Discover] looks. The zero value is usable.
type DiscoverOptions struct {
	Resolver Resolver      // default: net.DefaultResolver
	Timeout  time.Duration // for all questions to DNS; default 5 s, negative: only the context bounds them
}

// Discovery is where the mail of an address can be handed in. Candidates may be
// empty: then the domain publishes nothing that we understand.
type Discovery struct {
	Address string // as it was asked for, without a display name
	Domain  string // of the address, in A-labels

	// Candidates are servers to try, best first.
	Candidates []Candidate
	// NotOffered tells that the domain says it takes no submissions (SRV records
	// with the target ".", RFC 6186 section 3.4).
	NotOffered bool
	// Failures are questions that got no answer (not those with the answer
	// "none"): another try may find more.
	Failures []error
}

// Candidate is a server that an address's mail may be handed to.
type Candidate struct {
	Preset *Preset // the service behind it, if it is a known one
	Host   string
	Port   int
	TLS    smtp.TLSMode
	Origin Origin // how it was found
	// Foreign tells that an SRV record named a host outside of the address's own
	// domain. Whoever forges DNS answers could have named it, so that a person must
	// agree before a password goes there (RFC 6186 section 6).
	Foreign bool
}

// Origin is how a server was found.
type Origin string

// The origins.
const (
	OriginDomain Origin = "domain" // the address's domain is one of a preset's
	OriginSRV    Origin = "srv"    // an SRV record (RFC 6186, RFC 8314)
	OriginMX     Origin = "mx"     // the domain's MX is one of a preset's
)

// Discover finds the servers that take mail from an address, from what is known
// about its domain and what DNS says: the preset of the domain, else the SRV
// records _submissions._tcp and _submission._tcp (RFC 8314 section 5.1, RFC
// 6186), else the preset that the domain's MX belongs to. It connects to none of
// them, and it does not need the mailbox to exist.
//
// The error is of type [*AddressError], or the context's. A question that DNS
// did not answer is no error: see Discovery.Failures.
func Discover(ctx context.Context, address string, opts DiscoverOptions) (Discovery, error) {
	domain, err := domainOf(address)
	if err != nil {
		return Discovery{}, err
	}
	d := Discovery{Address: bareAddress(address), Domain: domain}
	if p, ok := book().byDomain[domain]; ok {
		d.Candidates = []Candidate{p.candidate(OriginDomain)}
		return d, nil
	}
	d.decide(askDNS(ctx, domain, opts))
	return d, ctx.Err()
}

// decide takes what the domain says itself before what its MX suggests.
func (d *Discovery) decide(a answers) {
	d.Failures = a.failures
	refused := a.submissions.refused || a.submission.refused
	for _, s := range []offer{a.submissions, a.submission} {
		for _, r := range s.records {
			d.add(r, s.tls)
		}
	}
	if len(d.Candidates) > 0 {
		return
	}
	if d.NotOffered = refused; refused {
		return
	}
	for _, host := range a.mx {
		if p := presetOfMX(host); p != nil {
			d.Candidates = []Candidate{p.candidate(OriginMX)}
			return
		}
	}
}

// add adds a server that the domain names, once.
func (d *Discovery) add(r server, tls smtp.TLSMode) {
	for _, c := range d.Candidates {
		if c.Host == r.host && c.Port == r.port {
			return
		}
	}
	d.Candidates = append(d.Candidates, Candidate{Preset: book().byHost[r.host], Host: r.host, Port: r.port, TLS: tls,
		Origin: OriginSRV, Foreign: !isWithin(r.host, d.Domain)})
}

func (p *Preset) candidate(o Origin) Candidate {
	return Candidate{Preset: p, Host: p.Host, Port: p.Port, TLS: p.TLS, Origin: o}
}

// askDNS asks all questions at once: a person waits for the answers.
func askDNS(ctx context.Context, domain string, opts DiscoverOptions) answers {
	if opts.Resolver == nil {
		opts.Resolver = net.DefaultResolver
	}
	if opts.Timeout == 0 {
		opts.Timeout = 5 * time.Second
	}
	if opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.Timeout)
		defer cancel()
	}
	a := answers{submissions: offer{tls: smtp.TLSImplicit}, submission: offer{tls: smtp.TLSStartTLS}}
	var errs [3]error
	var wg sync.WaitGroup
	wg.Go(func() { errs[0] = a.submissions.ask(ctx, opts.Resolver, "submissions", domain) })
	wg.Go(func() { errs[1] = a.submission.ask(ctx, opts.Resolver, "submission", domain) })
	wg.Go(func() { a.mx, errs[2] = askMX(ctx, opts.Resolver, domain) })
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			a.failures = append(a.failures, err)
		}
	}
	return a
}
