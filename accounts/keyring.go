package accounts

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/zalando/go-keyring"
)

// Keyring keeps small secrets for the user who is logged in. ErrNoKey is
// returned, wrapped or not, for what is not there.
type Keyring interface {
	Get(service, user string) (string, error)
	Set(service, user, secret string) error
	Delete(service, user string) error
}

const keyringService = "kaizen"

// systemKeyring is the operating system's.
type systemKeyring struct{}

func (systemKeyring) Get(service, user string) (string, error) {
	text, err := keyring.Get(service, user)
	if errors.Is(err, keyring.ErrNotFound) {
		err = ErrNoKey
	}
	return text, err
}

func (systemKeyring) Set(service, user, secret string) error {
	return keyring.Set(service, user, secret)
}

func (systemKeyring) Delete(service, user string) error {
	err := keyring.Delete(service, user)
	if errors.Is(err, keyring.ErrNotFound) {
		err = ErrNoKey
	}
	return err
}

func (s *Store) keyringGet() (string, error) {
	text, err := s.options.Keyring.Get(keyringService, s.keyringUser())
	if errors.Is(err, ErrNoKey) {
		return "", &SecretError{File: "keyring", Err: ErrNoKey,
			Hint: fmt.Sprintf("it has nothing for service %q, user %q", keyringService, s.keyringUser())}
	}
	if err != nil {
		return "", s.keyringError(err)
	}
	return text, nil
}

func (s *Store) keyringError(err error) error {
	return &SecretError{File: "keyring", Err: err,
		Hint: "is it running and unlocked? Where there is none, use kaizen account rekey --key file or passphrase"}
}

// keyringUser tells directories apart.
func (s *Store) keyringUser() string {
	if real, err := filepath.EvalSymlinks(s.dir); err == nil {
		return real
	}
	return s.dir
}
