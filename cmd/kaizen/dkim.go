package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/kaizenmail/kaizen/message"
)

// dkimFlag cuts DOMAIN:SELECTOR:KEYFILE. A colon may be in the file name only.
func dkimFlag(s string) (domain, selector, file string, ok bool) {
	domain, rest, _ := strings.Cut(s, ":")
	selector, file, _ = strings.Cut(rest, ":")
	return domain, selector, file, domain != "" && selector != "" && file != ""
}

func (f *messageFlags) checkDKIM() error {
	for _, s := range f.dkim {
		if _, _, _, ok := dkimFlag(s); !ok {
			return fmt.Errorf("--dkim %q is not of the form DOMAIN:SELECTOR:KEYFILE", s)
		}
	}
	return nil
}

// signatures reads the keys.
func (f *messageFlags) signatures() (signatures []message.DKIM, err error) {
	for _, s := range f.dkim {
		domain, selector, file, _ := dkimFlag(s)
		key, err := message.DKIMKeyFile(file)
		if err != nil {
			return nil, keyError(file, err)
		}
		signatures = append(signatures, message.DKIM{Domain: domain, Selector: selector, Key: key})
	}
	return signatures, nil
}

func keyError(file string, err error) error {
	if e, ok := errors.AsType[*message.Error](err); ok {
		err = e.Err
	}
	if _, unread := errors.AsType[*fs.PathError](err); unread {
		return withCode(exitNoInput, fmt.Errorf("--dkim: %w", err))
	}
	return withCode(exitConfig, fmt.Errorf("--dkim: %s: %w", file, err))
}
