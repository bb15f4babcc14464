// Package accounts knows the accounts mail is sent through: what the well-known
// services want ([Presets], [Discover]), and what stands in files.
package accounts
