package smtp

import (
	"context"
	"crypto/tls"
)

// What the black-box tests of logins may reach.

func (a *Auth) Plan(offered []string, state *tls.ConnectionState, remembered string) ([]string, error) {
	return a.plan(offered, state, remembered)
}

func (a *Auth) Mechanism(ctx context.Context, name string, info ServerInfo) (Mechanism, error) {
	return a.mechanism(ctx, name, info)
}

func (a *Auth) ScrubReply(r Reply) Reply {
	if a == nil {
		return scrubReply(r, nil)
	}
	return scrubReply(r, a.secrets())
}

// ScramWithNonce is SCRAM without channel binding and without chance.
func (a *Auth) ScramWithNonce(name, nonce string) (Mechanism, error) {
	client, err := a.scramClient(name)
	if err != nil {
		return nil, err
	}
	client.WithNonceGenerator(func() string { return nonce })
	return &scramMechanism{name: name, talk: client.NewConversation()}, nil
}

var (
	AuthLine         = authLine
	Groupable        = groupable
	FallsBackToPlain = fallsBackToPlain
	RefusedBecause   = refusedBecause
	Finished         = finished
	ChannelBinding   = channelBinding
)
