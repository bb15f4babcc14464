// Package oauth gets OAuth 2 access tokens for mail accounts, and renews them.
//
// A [Config] says who asks whom, and how ([Flow]). Google and Microsoft are ready
// made: a client id of your own is all they need. [Config.Login] lets a person
// consent, in a browser on this machine or on any other; what comes out is a
// [Token] to keep. A [Source] hands out access tokens from then on:
//
//	config := oauth.Config{Provider: "google", ClientID: id, ClientSecret: secret}
//	token, err := config.Login(ctx, oauth.LoginOptions{Show: show})
//	source, err := oauth.NewSource(config, oauth.SourceOptions{Token: token})
//	auth := &smtp.Auth{Username: "ann@gmail.com", Token: source.Token, TokenRefused: source.Refused}
//
// One renewal is under way at a time, however many ask; it begins before the token
// ends. What a [Keep] keeps is shared with other processes.
//
// No error, log or print of this package holds a token, a code, a secret or a key.
// Errors that an authorization server gave are of type [*Error].
package oauth
