// Package accounts knows the accounts mail is sent through: what the well-known
// services want ([Presets], [Discover]), and what stands on disk: settings in
// files that people can read and write, passwords apart from them in one
// encrypted file.
//
// One directory ([DefaultDir]) holds everything:
//
//	kaizen.toml           what people write; never rewritten
//	accounts.d/NAME.toml  one account each, written by [Store.Put]
//	secrets.age           passwords by account name, encrypted (age-encryption.org/v1)
//	secrets.age.bak       the version before the last change
//	tokens/NAME.age       tokens of an OAuth 2 login, encrypted with the same key
//	key.txt               the key of secrets.age, unless it is elsewhere
//
// A [Store] is a [kaizen.AccountResolver]:
//
//	store, err := accounts.Open(accounts.Options{})
//	client := kaizen.New(kaizen.Config{Accounts: store})
//	receipt, err := client.Send(ctx, kaizen.Account{Name: "work"}, message)
//
// Accounts that log in with OAuth 2 get their tokens by [Store.Login], once, and
// renew them by themselves; see package oauth.
//
// It notices changed files while it runs. No error, log or print of this package
// holds a secret.
package accounts
