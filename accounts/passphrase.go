package accounts

import (
	"crypto/sha256"
	"sync"
)

// passphrases remembers the passphrase that worked, and one that did not: each
// try costs 32 MB and a tenth of a second.
type passphrases struct {
	mu    sync.Mutex
	right string
	wrong [sha256.Size]byte // of a passphrase and what it did not open
}

func (p *passphrases) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.right
}

func (p *passphrases) worked(o opener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.key.Kind == KeyPassphrase {
		p.right = o.passphrase
	}
}

// forget reports whether it was the one that had worked.
func (p *passphrases) forget(o opener) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.key.Kind != KeyPassphrase || p.right == "" || p.right != o.passphrase {
		return false
	}
	p.right = ""
	return true
}

func (p *passphrases) failed(o opener, content []byte) {
	if o.key.Kind != KeyPassphrase {
		return
	}
	sum := tried(o, content)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong = sum
}

func (p *passphrases) refused(o opener, content []byte) bool {
	if o.key.Kind != KeyPassphrase {
		return false
	}
	sum := tried(o, content)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrong == sum
}

func tried(o opener, content []byte) [sha256.Size]byte {
	of := sha256.Sum256(content)
	return sha256.Sum256(append(of[:], o.passphrase...))
}
